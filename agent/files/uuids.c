/* The agent's uuid and its collector's: see uuids.h. Called by the registry, whose directory has
 * the file. */
#include "agent/files/uuids.h"

#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "identity"
#define ASIDE     "identity.damaged"

enum { FILE_MAX = 4096, CRC_HEX = 16 };

static uint64_t checksum(struct span text)
{
	return crc64_add(CRC64_EMPTY, text.ptr, text.len);
}

/* --- reading --- */

static bool take_line(struct uuids *u, struct span line)
{
	uint64_t crc = 0;
	if (line.len <= CRC_HEX || line.ptr[CRC_HEX] != ' ' ||
	    num_parse_hex64(span_first(line, CRC_HEX), &crc) < 0)
		return false;
	struct span text = span_from(line, CRC_HEX + 1);
	char *into = span_starts_with(text, SPAN_LITERAL("agent "))       ? u->agent
		     : span_starts_with(text, SPAN_LITERAL("collector ")) ? u->collector
									  : NULL;
	struct span uuid = span_from(text, into ? span_find(text, ' ') + 1 : text.len);
	if (checksum(text) != crc || !into || !uuid_is_valid(uuid))
		return false;
	memcpy(into, uuid.ptr, uuid.len);
	return true;
}

/* Are all lines good, and is there one? */
static bool take(struct uuids *u, struct span text)
{
	bool good = text.len > 0;
	while (text.len) {
		size_t n = span_find(text, '\n');
		good = take_line(u, span_first(text, n)) && good;
		text = span_from(text, n < text.len ? n + 1 : n);
	}
	return good;
}

static void set_aside(int dir, const char *dir_path)
{
	if ((unlinkat(dir, ASIDE, 0) < 0 && errno != ENOENT) ||
	    linkat(dir, FILE_NAME, dir, ASIDE, 0) < 0)
		log_warning("%s/" FILE_NAME " cannot be set aside: %s", dir_path, strerror(errno));
}

static void tell_damage(const struct uuids *u, const char *dir_path, int error)
{
	const char *why = error < 0 ? strerror(-error) : "damaged";
	if (!*u->agent)
		log_warning("%s/" FILE_NAME
			    " cannot be used (%s): this agent goes on under a new uuid",
			    dir_path, why);
	if (!*u->collector)
		log_warning("%s/" FILE_NAME
			    " does not say any more which collector this agent belongs to (%s): "
			    "the next one that answers, unless uuid is set",
			    dir_path, why);
	if (*u->agent && *u->collector)
		log_warning("%s/" FILE_NAME " is damaged (%s), but both uuids could be read",
			    dir_path, why);
}

int uuids_load(struct uuids *u, int dir, const char *dir_path)
{
	struct buf text = BUF_EMPTY;
	*u = (struct uuids){0};
	int e = dir < 0 ? -ENOENT : file_read(dir, FILE_NAME, FILE_MAX, &text);
	bool good = e >= 0 && take(u, buf_span(&text));
	buf_free(&text);
	if (!good && e != -ENOENT) {
		tell_damage(u, dir_path, e);
		set_aside(dir, dir_path);
	}
	u->kept = good && *u->agent;
	if (u->kept)
		return 0;
	int r = *u->agent ? 0 : uuid_make(u->agent);
	/* What keeps it from being written is said with the registry. */
	if (r == 0 && dir >= 0)
		uuids_write(u, dir);
	return r;
}

/* --- writing --- */

static int add_line(struct buf *out, const char *kind, const char *uuid)
{
	struct buf text = BUF_EMPTY;
	char crc[CRC_HEX];
	int r = buf_printf(&text, "%s %s", kind, uuid);
	if (r == 0) {
		num_format_hex64(crc, checksum(buf_span(&text)));
		r = buf_printf(out, "%.*s %.*s\n", CRC_HEX, crc, (int)text.len, text.ptr);
	}
	buf_free(&text);
	return r;
}

int uuids_write(struct uuids *u, int dir)
{
	struct buf text = BUF_EMPTY;
	int r = add_line(&text, "agent", u->agent);
	if (r == 0 && *u->collector)
		r = add_line(&text, "collector", u->collector);
	if (r == 0)
		r = dir < 0 ? -ENOENT : file_replace(dir, FILE_NAME, buf_span(&text), 0600);
	u->kept = r == 0;
	buf_free(&text);
	return r;
}

int uuids_set_collector(struct uuids *u, int dir, const char *uuid)
{
	if (!uuid_is_valid(span_of(uuid)))
		return -EINVAL;
	memcpy(u->collector, uuid, UUID_LEN + 1);
	return uuids_write(u, dir);
}
