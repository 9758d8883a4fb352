/** Where the pages of docs/runbooks are read; docs/observability.md tells how to point elsewhere. */
export const RUNBOOKS = 'https://github.com/streamgate/streamgate/blob/main/docs/runbooks';
