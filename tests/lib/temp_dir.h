/* A directory of a test's own, for the time of the test. */
#ifndef HAUL_TESTS_LIB_TEMP_DIR_H
#define HAUL_TESTS_LIB_TEMP_DIR_H

/* Makes it. `path` ends in six characters that are replaced; the same path may be given again and
 * again. */
void temp_dir_make(char *path);
/* Removes it with all that is in it. */
void temp_dir_remove(const char *path);

#endif
