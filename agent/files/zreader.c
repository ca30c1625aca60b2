/* Inflating with a place: see zreader.h. follow reads a remainder through it, the copy matcher a
 * candidate.
 *
 * zlib goes forward only. What was inflated lately is kept in a history buffer, since each read of
 * follow begins with the check bytes before the cursor and with the unfinished line of the last
 * one; whoever goes back further pays for inflating from the start. Members that follow each other
 * are one content; what follows the last one and is no member (padding) is passed over, as gzip
 * does. */
#include "agent/files/zreader.h"

#include "common/file.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum { INPUT_SIZE = 64 * 1024 };

struct zreader {
	int fd;
	z_stream stream;
	bool begun;         /* stream is initialised */
	bool member_over;   /* between members, or at the end */
	uint64_t file_at;   /* of the next input */
	uint64_t at;        /* content inflated so far */
	struct buf history; /* the last bytes before `at` */
	unsigned char input[INPUT_SIZE];
};

int zreader_new(int fd, struct zreader **ret)
{
	struct zreader *z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	z->fd = fd;
	*ret = z;
	return 0;
}

void zreader_free(struct zreader *z)
{
	if (!z)
		return;
	if (z->begun)
		(void)inflateEnd(&z->stream);
	buf_free(&z->history);
	free(z);
}

bool zreader_complete(const struct zreader *z)
{
	return z->begun && z->member_over;
}

static int begin(struct zreader *z)
{
	int r = z->begun ? inflateReset(&z->stream) : inflateInit2(&z->stream, 15 + 16);
	if (r != Z_OK)
		return -ENOMEM;
	z->begun = true;
	z->member_over = false;
	z->stream.avail_in = 0;
	z->file_at = z->at = 0;
	buf_clear(&z->history);
	return 0;
}

/* 1: there is input; 0: the file has no more now. */
static int more_input(struct zreader *z)
{
	if (z->stream.avail_in)
		return 1;
	ssize_t n = file_pread_full(z->fd, z->input, sizeof(z->input), z->file_at);
	if (n <= 0)
		return (int)n;
	z->file_at += (size_t)n;
	z->stream.next_in = z->input;
	z->stream.avail_in = (unsigned)n;
	return 1;
}

/* Is what follows a member another one? Its first byte decides, as there is nothing else it could
 * be. */
static int next_member(struct zreader *z)
{
	int r = more_input(z);
	if (r <= 0)
		return r;
	if (*z->stream.next_in != 0x1f)
		return 0;
	unsigned char *next = z->stream.next_in;
	unsigned avail = z->stream.avail_in;
	if (inflateReset(&z->stream) != Z_OK)
		return -ENOMEM;
	z->stream.next_in = next;
	z->stream.avail_in = avail;
	z->member_over = false;
	return 1;
}

/* Inflates until there is output, a member's end or no more input. */
static int inflate_some(struct zreader *z)
{
	unsigned before = z->stream.avail_out;
	while (z->stream.avail_out == before && !z->member_over) {
		int r = more_input(z);
		if (r <= 0)
			return r;
		r = inflate(&z->stream, Z_NO_FLUSH);
		if (r == Z_STREAM_END)
			z->member_over = true;
		else if (r != Z_OK && r != Z_BUF_ERROR)
			return -EBADMSG;
	}
	return 1;
}

/* Inflates on into the history's end; returns how much, 0 at the end (for now). */
static ssize_t inflate_on(struct zreader *z, unsigned want)
{
	int r = buf_reserve(&z->history, want);
	while (r >= 0) {
		r = z->member_over ? next_member(z) : 1;
		if (r <= 0)
			return r;
		z->stream.next_out = (unsigned char *)z->history.ptr + z->history.len;
		z->stream.avail_out = want;
		r = inflate_some(z);
		size_t made = want - z->stream.avail_out;
		z->history.len += made;
		z->at += made;
		if (made)
			return (ssize_t)made;
		if (r == 0)
			return 0;
	}
	return r;
}

static void trim_history(struct zreader *z)
{
	if (z->history.len > (size_t)2 * ZREADER_HISTORY)
		buf_consume(&z->history, z->history.len - ZREADER_HISTORY);
}

ssize_t zreader_read(struct zreader *z, void *dst, size_t len, uint64_t at)
{
	size_t done = 0;
	if (!z->begun || at < z->at - z->history.len) {
		int r = begin(z);
		if (r < 0)
			return r;
	}
	while (done < len) {
		if (at + done < z->at) {
			uint64_t first = z->at - z->history.len;
			size_t from = (size_t)(at + done - first), n = z->history.len - from;
			n = n < len - done ? n : len - done;
			memcpy((char *)dst + done, z->history.ptr + from, n);
			done += n;
			continue;
		}
		trim_history(z);
		ssize_t made = inflate_on(z, INPUT_SIZE);
		if (made < 0)
			return made;
		if (made == 0)
			break;
	}
	return (ssize_t)done;
}
