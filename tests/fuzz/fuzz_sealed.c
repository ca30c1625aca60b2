/* Sealed segments: any bytes are walked block by block or refused; a block lies in the file. The
 * first byte chooses the form. */
#include "collector/store/sealed.h"
#include "common/file.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int each(void *user, const struct sealed_block *b)
{
	uint64_t *at = user;
	assert(b->offset == *at);
	*at += b->length;
	/* Frames of nothing but headers may inflate to much: enough is enough. */
	return b->plain.len > (64 << 20) ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum segment_form forms[] = {SEGMENT_CLOSED, SEGMENT_ZSTD, SEGMENT_GZIP};
	uint64_t at = 0;
	if (size == 0)
		return 0;
	int fd = memfd_create("sealed", MFD_CLOEXEC);
	assert(fd >= 0);
	int r = file_pwrite_all(fd, span_make((const char *)data + 1, size - 1), 0);
	assert(r == 0);
	r = sealed_walk(fd, forms[data[0] % 3], size - 1, each, &at);
	assert(r < 0 || at == size - 1);
	file_close(&fd);
	return 0;
}
