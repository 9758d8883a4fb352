/** Names of the contract whose part of the product is not in this version. */
export const LATER: Readonly<Record<string, string>> = {
  STREAMGATE_DATABASE_URL: 'chat',
  STREAMGATE_DATA_DIR: 'chat',
  STREAMGATE_INSECURE_QUERY_USER: 'chat',
};
