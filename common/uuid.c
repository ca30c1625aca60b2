/* UUIDs: see uuid.h. */
#include "common/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
_Static_assert(sizeof(form) == UUID_LEN + 1, "the form has the length");

int uuid_make(char ret[UUID_LEN + 1])
{
	unsigned char b[16];
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return -EIO;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* variant 1 */
	(void)snprintf(ret, UUID_LEN + 1,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
	return 0;
}

bool uuid_is_valid(struct span s)
{
	bool valid = s.len == UUID_LEN;
	for (size_t i = 0; valid && i < s.len; i++)
		valid = form[i] == '-' ? s.ptr[i] == '-'
				       : memchr("0123456789abcdef", s.ptr[i], 16) != NULL;
	return valid;
}
