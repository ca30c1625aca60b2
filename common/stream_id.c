/* A stream's name: see stream_id.h. The agent draws one when it takes a source up; both sides parse
 * and print it. An id is only ever compared and looked up, never taken apart. */
#include "common/stream_id.h"

#include <errno.h>
#include <sys/random.h>

static const char HEX[] = "0123456789abcdef";

int stream_id_random(struct stream_id *ret)
{
	struct stream_id id;
	size_t have = 0;
	while (have < sizeof(id.bytes)) {
		ssize_t n = getrandom(id.bytes + have, sizeof(id.bytes) - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
	}
	*ret = id;
	return 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int stream_id_parse(struct span s, struct stream_id *ret)
{
	if (s.len != STREAM_ID_HEX)
		return -EINVAL;
	struct stream_id id;
	for (size_t i = 0; i < sizeof(id.bytes); i++) {
		int high = digit_value(s.ptr[2 * i]);
		int low = digit_value(s.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		id.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = id;
	return 0;
}

void stream_id_format(char dst[STREAM_ID_HEX], const struct stream_id *id)
{
	for (size_t i = 0; i < sizeof(id->bytes); i++) {
		dst[2 * i] = HEX[id->bytes[i] >> 4];
		dst[2 * i + 1] = HEX[id->bytes[i] & 15];
	}
}

bool stream_id_equal(const struct stream_id *a, const struct stream_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint64_t stream_id_hash(const struct stream_id *id)
{
	uint64_t hash;
	memcpy(&hash, id->bytes, sizeof(hash));
	return hash;
}
