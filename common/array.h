/* Arrays that grow by doubling, for those who add one element after the other:
 *
 *     int r = array_room(&t->rows, t->n, &t->capacity, sizeof(*t->rows));
 *     if (r == 0)
 *             t->rows[t->n++] = row;
 *
 * An empty one is NULL with a capacity of 0; free() frees it. */
#ifndef HAUL_COMMON_ARRAY_H
#define HAUL_COMMON_ARRAY_H

#include "common/buf.h"

#include <stddef.h>

/* Makes room for one more element of `size` bytes behind the first `n`. `array` is the address of
 * the pointer to the elements; they may move. Errors: -ENOMEM, and the array is as it was. */
int array_room(void *array, size_t n, size_t *capacity, size_t size) MUST_CHECK;

#endif
