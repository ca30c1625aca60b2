/* Scanning log bytes at memory speed: where a line ends, and whether it may stand as it is (line.h
 * says what clean means). Both sides run this over every byte they carry. Pure, thread-safe;
 * nothing outside of what is given is read. */
#ifndef HAUL_COMMON_LINE_SCAN_H
#define HAUL_COMMON_LINE_SCAN_H

#include "common/span.h"

/* The index of the first LF, or `len` when there is none. *ret_clean is what line_clean says of the
 * bytes before it: one CR directly before the LF (or at the end) is clean. */
size_t line_scan(const char *ptr, size_t len, bool *ret_clean);

/* How many bytes `s` begins with that stand in an escaped message as they are: clean, no CR, no
 * backslash. */
size_t line_scan_plain(struct span s);

/* The same without vector instructions: for machines that lack them, and for the test that holds
 * both forms against each other. */
bool line_clean_portable(struct span message);
size_t line_scan_plain_portable(struct span s);

#endif
