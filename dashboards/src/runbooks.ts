/** Where the pages of docs/runbooks are read. */
export const RUNBOOKS = 'https://github.com/streamgate/streamgate/blob/main/docs/runbooks';
