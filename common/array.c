/* Growing arrays: see array.h. */
#include "common/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 8

int array_room(void *array, size_t n, size_t *capacity, size_t size)
{
	void *items;
	if (n < *capacity)
		return 0;
	/* By its bytes: the pointer is one to whatever the elements are. */
	memcpy(&items, array, sizeof(items));
	size_t more = *capacity ? *capacity * 2 : FIRST;
	void *moved = reallocarray(items, more, size);
	if (!moved)
		return -ENOMEM;
	memcpy(array, &moved, sizeof(moved));
	*capacity = more;
	return 0;
}
