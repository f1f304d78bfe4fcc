/** What the check ends with where Go or its modules can't be had. */
export const NOT_CHECKED = 3;
