/* Names and heads of the index's files: see index_format.h. Pure. */
#include "collector/store/index_format.h"

#include "collector/store/le.h"
#include "common/crc64.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdio.h>

#define PARTS_MAGIC "HAULPART"

enum { VERSION = 2 };

bool index_class_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
		      (name.ptr[i] >= '0' && name.ptr[i] <= '9')))
			return false;
	return name.len > 0 && name.len < INDEX_CLASS_MAX;
}

void index_file_name(char dst[INDEX_FILE_MAX], uint32_t number, bool slab)
{
	(void)snprintf(dst, INDEX_FILE_MAX, "%08" PRIu32 ".%s", number, slab ? "slab" : "parts");
}

int index_parse_file(struct span name, uint32_t *ret_number, bool *ret_slab)
{
	size_t dot = span_find(name, '.');
	uint64_t number;
	if (dot < 8 || dot == name.len || num_parse_u64(span_first(name, dot), &number) < 0 ||
	    number == 0 || number > UINT32_MAX)
		return -EINVAL;
	bool slab = span_is(span_from(name, dot), ".slab");
	if (!slab && !span_is(span_from(name, dot), ".parts"))
		return -EINVAL;
	*ret_number = (uint32_t)number;
	*ret_slab = slab;
	return 0;
}

void index_parts_header(char dst[INDEX_PARTS_HEADER], uint64_t length)
{
	memcpy(dst, PARTS_MAGIC, 8);
	le_put(dst + 8, VERSION, 4);
	le_put(dst + 12, 0, 4);
	le_put(dst + 16, length, 8);
	le_put(dst + 24, crc64_add(CRC64_EMPTY, dst, 24), 8);
}

int index_parts_length(const char header[INDEX_PARTS_HEADER], uint64_t *ret_length)
{
	if (memcmp(header, PARTS_MAGIC, 8) != 0 ||
	    crc64_add(CRC64_EMPTY, header, 24) != le_get(header + 24, 8))
		return -EBADMSG;
	if (le_get(header + 8, 4) != VERSION)
		return -EPROTONOSUPPORT;
	uint64_t length = le_get(header + 16, 8);
	if (length < INDEX_PARTS_HEADER || length > INDEX_PARTS_MAX)
		return -EBADMSG;
	*ret_length = length;
	return 0;
}
