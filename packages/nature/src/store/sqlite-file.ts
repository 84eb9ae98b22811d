/** The database within its folder. */
export const FILE_NAME = "nature.sqlite";
