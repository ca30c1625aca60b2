/* Lines beside the log: see waiting.h. restore_waiting.c is the only user.
 *
 * The checksum covers the header, too. A header that is none, or bytes that are not all there, end the file: a crash has
 * cut a record that the log still has. Bytes that are all there and are not what they were are damage, said aloud. */
#include "collector/store/waiting.h"

#include "collector/store/room.h"
#include "common/civil.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_PATH TREE_HAUL "/waiting"
#define WAITING_NEXT WAITING_PATH ".tmp"

enum { HEADER_MAX = 512, CRC_DIGITS = 16 };

/* --- one record --- */

static int put_header(const struct waiting_record *r, struct buf *out)
{
	char day[CIVIL_DAY_LEN + 1] = "", crc[CRC_DIGITS];
	civil_format_day(day, r->day);
	int x = buf_printf(out, "%s %.*s %.*s %u %llu %zu ", day, (int)r->service.len,
			   r->service.ptr, (int)r->host.len, r->host.ptr, r->place.number,
			   (unsigned long long)r->place.position, r->bytes.len);
	if (x < 0)
		return x;
	uint64_t sum = crc64_add(CRC64_EMPTY, out->ptr, out->len);
	num_format_hex64(crc, crc64_add(sum, r->bytes.ptr, r->bytes.len));
	x = buf_add(out, crc, sizeof(crc));
	return x < 0 ? x : buf_add_char(out, '\n');
}

static struct span take_word(struct span *rest)
{
	size_t end = span_find(*rest, ' ');
	struct span word = span_first(*rest, end);
	*rest = span_from(*rest, end < rest->len ? end + 1 : end);
	return word;
}

/* Takes a header without its LF apart; spans point into it, and the record's bytes have a length only. */
static bool parse_header(struct span line, struct waiting_record *ret, uint64_t *ret_sum,
			 uint64_t *ret_crc)
{
	uint64_t number, length;
	if (line.len <= CRC_DIGITS)
		return false;
	*ret_sum = crc64_add(CRC64_EMPTY, line.ptr, line.len - CRC_DIGITS);
	struct span day = take_word(&line);
	ret->service = take_word(&line);
	ret->host = take_word(&line);
	if (civil_parse_day(day, &ret->day) < 0 || !name_valid(ret->service) ||
	    !name_valid_host(ret->host) || num_parse_u64(take_word(&line), &number) < 0 ||
	    num_parse_u64(take_word(&line), &ret->place.position) < 0 ||
	    num_parse_u64(take_word(&line), &length) < 0 || num_parse_hex64(line, ret_crc) < 0 ||
	    number == 0 || number > UINT32_MAX || length > SIZE_MAX)
		return false;
	ret->place.number = (uint32_t)number;
	ret->bytes = span_make(NULL, (size_t)length);
	return true;
}

struct reading {
	char header[HEADER_MAX];
	struct buf bytes;
	struct waiting_record record;
	bool damaged;
};

/* The record at *at, which then is where the next one begins. 1; 0: there is no whole one. */
static int read_record(int fd, uint64_t size, uint64_t *at, struct reading *x)
{
	uint64_t sum, crc;
	ssize_t n = file_pread_full(fd, x->header, sizeof(x->header), *at);
	if (n < 0)
		return (int)n;
	struct span head = span_make(x->header, (size_t)n);
	size_t end = span_find(head, '\n');
	if (end == head.len || !parse_header(span_first(head, end), &x->record, &sum, &crc) ||
	    x->record.bytes.len > size - *at - end - 1)
		return 0;
	size_t len = x->record.bytes.len;
	buf_clear(&x->bytes);
	int r = buf_reserve(&x->bytes, len);
	if (r < 0)
		return r;
	n = file_pread_full(fd, x->bytes.ptr, len, *at + end + 1);
	if (n < 0 || (size_t)n != len)
		return n < 0 ? (int)n : -EIO;
	x->record.bytes.ptr = x->bytes.ptr;
	x->damaged = crc64_add(sum, x->bytes.ptr, len) != crc;
	*at += end + 1 + len;
	return 1;
}

/* Up to the last whole record, whose end is returned. */
static int each_record(int fd, int (*each)(void *user, const struct waiting_record *r), void *user,
		       uint64_t *ret_end)
{
	struct reading x = {.bytes = BUF_EMPTY};
	struct stat st;
	uint64_t at = 0, from = 0;
	int r = fstat(fd, &st) < 0 ? -errno : 1;
	while (r > 0 && (r = read_record(fd, (uint64_t)st.st_size, &at, &x)) > 0) {
		if (x.damaged)
			log_error("%s: bytes %llu to %llu are damaged: lines that were "
				  "acknowledged are lost",
				  WAITING_PATH, (unsigned long long)from, (unsigned long long)at);
		int e = x.damaged ? 0 : each(user, &x.record);
		r = e < 0 ? e : 1;
		from = at;
	}
	buf_free(&x.bytes);
	*ret_end = at;
	return r;
}

/* --- the file --- */

static int ignore(void *user, const struct waiting_record *r)
{
	(void)user, (void)r;
	return 0;
}

int waiting_open(struct waiting *w, const struct tree *t)
{
	*w = (struct waiting){.tree = t, .fd = -1};
	int r = tree_open_file(t, WAITING_PATH, O_RDWR);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	w->fd = r;
	r = each_record(w->fd, ignore, NULL, &w->end);
	struct stat st;
	if (r == 0 && fstat(w->fd, &st) == 0 && (uint64_t)st.st_size > w->end)
		log_warning("%s: bytes %llu to %llu are no whole record, as after a crash, and "
			    "left out",
			    WAITING_PATH, (unsigned long long)w->end,
			    (unsigned long long)st.st_size);
	return r;
}

void waiting_close(struct waiting *w)
{
	file_close(&w->fd);
}

int waiting_each(const struct waiting *w, int (*each)(void *user, const struct waiting_record *r),
		 void *user)
{
	uint64_t end;
	return w->fd < 0 ? 0 : each_record(w->fd, each, user, &end);
}

static int write_record(struct waiting *w, const struct waiting_record *r, struct span header)
{
	int x = file_pwrite_all(w->fd, header, w->end);
	return x < 0 ? x : file_pwrite_all(w->fd, r->bytes, w->end + header.len);
}

int waiting_add(struct waiting *w, const struct waiting_record *r)
{
	struct buf header = BUF_EMPTY;
	if (w->fd < 0) {
		w->fd = tree_open_file(w->tree, WAITING_PATH, O_RDWR | O_CREAT);
		if (w->fd < 0)
			return w->fd;
	}
	int x = put_header(r, &header);
	if (x == 0 && ftruncate(w->fd, (off_t)w->end) < 0)
		x = -errno;
	if (x == 0)
		x = write_record(w, r, buf_span(&header));
	if (x == -ENOSPC && room_drop_ballast(w->tree))
		x = write_record(w, r, buf_span(&header));
	if (x == 0)
		w->end += header.len + r->bytes.len;
	buf_free(&header);
	return x;
}

int waiting_sync(const struct waiting *w)
{
	if (w->fd < 0)
		return 0;
	return fsync(w->fd) < 0 ? -errno : tree_sync_dir(w->tree, TREE_HAUL);
}

/* --- forgetting --- */

struct copying {
	bool (*keep)(void *user, const struct waiting_record *r);
	void *user;
	struct waiting to;
};

static int copy_kept(void *user, const struct waiting_record *r)
{
	struct copying *c = user;
	return c->keep(c->user, r) ? waiting_add(&c->to, r) : 0;
}

static int replace(struct waiting *w, struct waiting *by)
{
	int r = fsync(by->fd) < 0 ? -errno : 0;
	if (r == 0)
		r = tree_rename(w->tree, WAITING_NEXT, WAITING_PATH, true);
	if (r == 0) {
		file_close(&w->fd);
		*w = *by;
		by->fd = -1;
	}
	return r;
}

int waiting_keep(struct waiting *w, bool (*keep)(void *user, const struct waiting_record *r),
		 void *user)
{
	if (w->fd < 0)
		return 0;
	struct copying c = {.keep = keep, .user = user, .to = {.tree = w->tree}};
	int r = c.to.fd = tree_open_file(w->tree, WAITING_NEXT, O_RDWR | O_CREAT | O_TRUNC);
	if (r >= 0)
		r = waiting_each(w, copy_kept, &c);
	if (r == 0)
		r = c.to.end ? replace(w, &c.to) : tree_remove(w->tree, WAITING_PATH);
	if (r == 0 && c.to.end == 0) {
		file_close(&w->fd);
		w->end = 0;
	}
	if (c.to.fd >= 0 && tree_remove(w->tree, WAITING_NEXT) < 0)
		log_debug("%s: nothing to remove", WAITING_NEXT);
	file_close(&c.to.fd);
	return r < 0 ? r : tree_sync_dir(w->tree, TREE_HAUL);
}
