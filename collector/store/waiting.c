/* Lines beside the log: see waiting.h. restore_waiting.c is the only user.
 *
 * The checksum covers the header, too. What is no whole record is passed over up to the next one,
 * wherever that begins: it is damage, said aloud and copied to quarantine, and costs no other
 * record. What follows the last one may be a record that a crash has cut, and that the log still
 * has. */
#include "collector/store/waiting.h"

#include "collector/store/room.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_PATH TREE_HAUL "/waiting"
#define WAITING_NEXT WAITING_PATH ".tmp"

enum { HEADER_MAX = 512, CRC_DIGITS = 16, WINDOW = 1 << 16 };

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

/* Takes a header without its LF apart; spans point into it, and the record's bytes have a length
 * only. */
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
	int fd;
	uint64_t size; /* of the file */
	char header[HEADER_MAX];
	struct buf bytes;
	struct waiting_record record;
	/* where the record that was looked at last ends by its header; 0: that is none */
	uint64_t next;
};

/* Is there a whole record at `at`? 1 or 0. */
static int read_record(struct reading *x, uint64_t at)
{
	uint64_t sum, crc;
	x->next = 0;
	ssize_t n = file_pread_full(x->fd, x->header, sizeof(x->header), at);
	if (n < 0)
		return (int)n;
	struct span head = span_make(x->header, (size_t)n);
	size_t end = span_find(head, '\n');
	if (end == head.len || !parse_header(span_first(head, end), &x->record, &sum, &crc) ||
	    x->record.bytes.len > x->size - at - end - 1)
		return 0;
	size_t len = x->record.bytes.len;
	buf_clear(&x->bytes);
	int r = buf_reserve(&x->bytes, len);
	if (r < 0)
		return r;
	n = file_pread_full(x->fd, x->bytes.ptr, len, at + end + 1);
	if (n < 0 || (size_t)n != len)
		return n < 0 ? (int)n : -EIO;
	x->record.bytes.ptr = x->bytes.ptr;
	x->next = at + end + 1 + len;
	return crc64_add(sum, x->bytes.ptr, len) == crc;
}

/* The first whole record behind *at, where none is: each begins behind an LF, and where the one
 * before ends by its header if that LF is damaged. 1 or 0. */
static int find_record(struct reading *x, uint64_t *at)
{
	char window[WINDOW];
	uint64_t by_header = x->next;
	ssize_t n = 1;
	for (uint64_t from = *at; n > 0; from += (uint64_t)n) {
		n = file_pread_full(x->fd, window, sizeof(window), from);
		for (ssize_t i = 0; i < n; i++) {
			uint64_t behind = from + (uint64_t)i + 1;
			if (window[i] != '\n' && behind != by_header)
				continue;
			int r = read_record(x, behind);
			*at = r > 0 ? behind : *at;
			if (r != 0)
				return r;
		}
	}
	return (int)n;
}

/* What is found in the file: whole records, and what lies between them. Either may be NULL. */
struct finder {
	int (*record)(void *user, const struct waiting_record *r);
	void *user;
	const struct tree *damage; /* is said, and copied aside here */
};

static void say_damage(const struct tree *t, uint64_t from, uint64_t to, const char *what)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "waiting-%lld-%llu",
		       (long long)(clock_real_ns() / NUM_SEC_NS), (unsigned long long)from);
	int r = tree_copy_aside(t, WAITING_PATH, from, to, name);
	log_error("%s: bytes %llu to %llu %s; %s%s", WAITING_PATH, (unsigned long long)from,
		  (unsigned long long)to, what,
		  r < 0 ? "no copy of them: " : "copied to " TREE_QUARANTINE "/",
		  r < 0 ? strerror(-r) : name);
}

/* Steps over the record at *at or, if there is none, to the next. 1; 0: nothing follows. */
static int step(struct reading *x, const struct finder *f, uint64_t *at)
{
	uint64_t to = *at;
	int r = read_record(x, *at);
	if (r < 0)
		return r;
	if (r > 0) {
		*at = x->next;
		r = f->record ? f->record(f->user, &x->record) : 0;
		return r < 0 ? r : 1;
	}
	uint64_t by_header = x->next;
	r = find_record(x, &to);
	if (r == 0 && by_header) { /* all there, and not what it was */
		to = by_header;
		r = 1;
	}
	if (r > 0 && f->damage)
		say_damage(f->damage, *at, to,
			   "are damaged: lines that were acknowledged are lost");
	*at = r > 0 ? to : *at;
	return r;
}

/* Up to the last whole record, whose end is returned. */
static int each_record(int fd, const struct finder *f, uint64_t *ret_end)
{
	struct reading x = {.fd = fd, .bytes = BUF_EMPTY};
	struct stat st;
	uint64_t at = 0;
	int r = fstat(fd, &st) < 0 ? -errno : 1;
	x.size = r > 0 ? (uint64_t)st.st_size : 0;
	while (r > 0)
		r = step(&x, f, &at);
	if (r == 0 && x.size > at && f->damage)
		say_damage(f->damage, at, x.size,
			   "are no whole record, as after a crash, and left out");
	buf_free(&x.bytes);
	*ret_end = at;
	return r;
}

/* --- the file --- */

/* Whatever has its name and is no file of ours is put out of the way: it keeps nobody from
 * starting. */
static int refuse_others(const struct tree *t)
{
	struct stat st;
	char aside[TREE_PATH_MAX];
	if (tree_stat(t, WAITING_PATH, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	int r = tree_set_aside(t, WAITING_PATH, "waiting", aside);
	if (r == 0)
		log_warning("%s: it is not a file, and is not followed; moved to %s", WAITING_PATH,
			    aside);
	return r;
}

int waiting_open(struct waiting *w, const struct tree *t, bool say)
{
	const struct finder f = {.damage = say ? t : NULL};
	*w = (struct waiting){.tree = t, .fd = -1};
	int r = refuse_others(t);
	if (r == 0)
		r = tree_open_file(t, WAITING_PATH, O_RDWR);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	w->fd = r;
	return each_record(w->fd, &f, &w->end);
}

void waiting_close(struct waiting *w)
{
	file_close(&w->fd);
}

int waiting_each(const struct waiting *w, int (*each)(void *user, const struct waiting_record *r),
		 void *user)
{
	const struct finder f = {.record = each, .user = user};
	uint64_t end;
	return w->fd < 0 ? 0 : each_record(w->fd, &f, &end);
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
