/** The database of a log, in its folder. Apart, so that to look for it loads nothing else. */
export const FILE_NAME = "log.sqlite";
