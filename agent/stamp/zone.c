/* Time zones: see zone.h. stamp_new makes one for each input, moment.c asks it once for each line
 * that does not say its zone.
 *
 * A zone is cut into pieces: stretches of time with one offset, between two changes. The file's
 * table gives those up to its last change, the rule behind it the rest. All questions are answered
 * by looking at the pieces around a local time.
 *
 * Invariants of struct zone: changes are in strictly rising order; every type index is below
 * n_types; every name is NUL-terminated inside `names`. zone_from_file refuses files that would
 * break them, so look-ups never fail. */
#include "agent/stamp/zone.h"

#include "agent/stamp/zone_rule.h"
#include "common/civil.h"
#include "common/file.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define ZONE_DIR        "/usr/share/zoneinfo"
#define ZONE_LOCAL_FILE "/etc/localtime"
#define ZONE_FILE_MAX   65536 /* bytes; the largest in use has 3,700 */
#define ZONE_PATH_MAX   512
#define ZONE_TYPES_MAX  256

/* No zone was ever further from UTC; RFC 8536 names the bound. */
#define OFFSET_MAX_S (26 * INT64_C(3600))

/* Farther away than any change, and far from the ends of int64_t. */
#define NEVER_S   (INT64_MAX / 4)
#define FOREVER_S (INT64_MIN / 4)

/* Beyond any time that is asked for (the year 36,000), and still a day that civil.h knows. */
#define ASKED_MAX_S (INT64_C(1) << 40)

/* While the clock is set back: how far the collector of lines may lag, and still be taken to read
 * lines of the second pass as they are written. */
#define SECOND_PASS_LAG_S 3600

struct zone_type {
	int32_t offset_s;
	const char *name; /* into names */
};

struct zone_change {
	int64_t at_s;
	uint8_t type;
};

struct zone {
	struct zone_change *changes;
	size_t n_changes;
	struct zone_type types[ZONE_TYPES_MAX];
	size_t n_types; /* the first holds before the first change */
	char *names;
	struct zone_rule rule; /* behind the last change */
	bool has_rule;
};

struct piece {
	int64_t from_s, until_s; /* UTC */
	int32_t offset_s;
	const char *name;
};

/* --- pieces --- */

/* What the rule makes of an instant behind the table, whose last change is at from_s. (The rule's
 * own last change may be before that: some files have an empty one at the end of 32 bits.) */
static struct piece piece_of_rule(const struct zone *z, int64_t utc_s, int64_t from_s)
{
	const struct zone_rule *r = &z->rule;
	struct piece p = {FOREVER_S, NEVER_S, r->std_offset_s, r->std_name};
	int this_year = 0;
	unsigned month, day;
	if (r->has_dst)
		civil_from_days((int32_t)(utc_s / NUM_DAY_SEC), &this_year, &month, &day);
	for (int year = this_year - 1; r->has_dst && year <= this_year + 1; year++) {
		int64_t begins_s, ends_s;
		zone_rule_changes(r, year, &begins_s, &ends_s);
		/* In the order of time; where both fall together, what begins wins. */
		for (int i = 0; i < 2; i++) {
			bool begins = (i == 1) == (begins_s >= ends_s);
			int64_t at_s = begins ? begins_s : ends_s;
			if (at_s > utc_s) {
				p.until_s = at_s < p.until_s ? at_s : p.until_s;
			} else if (at_s >= p.from_s) {
				p.from_s = at_s;
				p.offset_s = begins ? r->dst_offset_s : r->std_offset_s;
				p.name = begins ? r->dst_name : r->std_name;
			}
		}
	}
	if (p.from_s < from_s)
		p.from_s = from_s;
	return p;
}

/* The piece that an instant lies in. */
static struct piece piece_at(const struct zone *z, int64_t utc_s)
{
	size_t low = 0, high = z->n_changes; /* changes before `low` are not after utc_s */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (z->changes[mid].at_s <= utc_s)
			low = mid + 1;
		else
			high = mid;
	}
	int64_t from_s = low ? z->changes[low - 1].at_s : FOREVER_S;
	if (low == z->n_changes && z->has_rule)
		return piece_of_rule(z, utc_s, from_s);
	const struct zone_type *type = &z->types[low ? z->changes[low - 1].type : 0];
	int64_t until_s = low < z->n_changes ? z->changes[low].at_s : NEVER_S;
	return (struct piece){from_s, until_s, type->offset_s, type->name};
}

static int32_t larger(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* --- local time to UTC --- */

/* A time that the clock shows in both of two neighbouring pieces. */
static int64_t choose_pass(const struct piece *first, const struct piece *second, int64_t local_s,
			   int64_t now_s)
{
	int64_t later_s = local_s - second->offset_s;
	int32_t overlap_s = first->offset_s - second->offset_s;
	bool reading_live =
		later_s <= now_s && now_s < second->from_s + overlap_s + SECOND_PASS_LAG_S;
	return reading_live ? later_s : local_s - first->offset_s;
}

int64_t zone_look_up(const struct zone *z, struct zone_range *cache, int64_t local_s, int64_t now_s)
{
	assert(local_s > -ASKED_MAX_S && local_s < ASKED_MAX_S);
	struct piece p = piece_at(z, local_s - OFFSET_MAX_S);
	int64_t from_s = FOREVER_S; /* local: here p's times begin to be p's alone */
	if (p.from_s != FOREVER_S)
		from_s = p.from_s + larger(piece_at(z, p.from_s - 1).offset_s, p.offset_s);
	for (;;) {
		if (p.until_s == NEVER_S) {
			*cache = (struct zone_range){from_s, NEVER_S, p.offset_s};
			return local_s - p.offset_s;
		}
		struct piece next = piece_at(z, p.until_s);
		int64_t until_s = p.until_s + smaller(p.offset_s, next.offset_s);
		if (local_s < until_s) {
			*cache = (struct zone_range){from_s, until_s, p.offset_s};
			return local_s - p.offset_s;
		}
		from_s = p.until_s + larger(p.offset_s, next.offset_s);
		if (local_s < from_s) {
			if (next.offset_s < p.offset_s)
				return choose_pass(&p, &next, local_s, now_s);
			return local_s - p.offset_s; /* never shown: by the clock before */
		}
		p = next;
	}
}

/* --- abbreviations --- */

static const struct {
	char name[6];
	int16_t offset_minutes;
} abbreviations[] = {
	/* Left out for meaning several things: BST, CST, IST and the like. */
	{"UTC", 0},    {"GMT", 0},     {"UT", 0},      {"WET", 0},    {"WEST", 60},  {"CET", 60},
	{"CEST", 120}, {"MET", 60},    {"MEST", 120},  {"EET", 120},  {"EEST", 180}, {"MSK", 180},
	{"SAST", 120}, {"JST", 540},   {"KST", 540},   {"HKT", 480},  {"SGT", 480},  {"AWST", 480},
	{"ACST", 570}, {"ACDT", 630},  {"AEST", 600},  {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780},
	{"EST", -300}, {"EDT", -240},  {"CDT", -300},  {"MST", -420}, {"MDT", -360}, {"PST", -480},
	{"PDT", -420}, {"AKST", -540}, {"AKDT", -480}, {"HST", -600},
};

bool zone_abbreviation(const struct zone *z, int64_t local_s, struct span abbreviation,
		       int32_t *ret_offset_s)
{
	struct piece p = piece_at(z, local_s - OFFSET_MAX_S);
	for (;;) {
		int64_t utc_s = local_s - p.offset_s;
		if (utc_s >= p.from_s && utc_s < p.until_s && span_is(abbreviation, p.name)) {
			*ret_offset_s = p.offset_s;
			return true;
		}
		if (p.until_s > local_s + OFFSET_MAX_S)
			break;
		p = piece_at(z, p.until_s);
	}
	for (size_t i = 0; i < sizeof(abbreviations) / sizeof(*abbreviations); i++) {
		if (span_is(abbreviation, abbreviations[i].name)) {
			*ret_offset_s = abbreviations[i].offset_minutes * 60;
			return true;
		}
	}
	return false;
}

/* --- files of the tz database --- */

/* One of the file's data blocks; the first has times of 4 bytes, the second of 8. */
struct block {
	uint32_t n_isut, n_isstd, n_leaps, n_changes, n_types, n_chars;
	const uint8_t *at_s, *change_types, *types;
	const char *chars;
};

#define HEADER_BYTES 44
#define TYPE_BYTES   6

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get_time(const uint8_t *p, size_t width)
{
	if (width == 4)
		return (int32_t)get_u32(p);
	return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

/* Cuts a header and its data off `in`. */
static bool take_block(struct span *in, size_t width, struct block *ret)
{
	if (in->len < HEADER_BYTES || memcmp(in->ptr, "TZif", 4) != 0)
		return false;
	const uint8_t *header = (const uint8_t *)in->ptr;
	*ret = (struct block){
		.n_isut = get_u32(header + 20),
		.n_isstd = get_u32(header + 24),
		.n_leaps = get_u32(header + 28),
		.n_changes = get_u32(header + 32),
		.n_types = get_u32(header + 36),
		.n_chars = get_u32(header + 40),
	};
	/* 32-bit counts times small sizes: no sum of these wraps in 64 bits. */
	uint64_t bytes = ret->n_changes * (uint64_t)(width + 1) +
			 ret->n_types * (uint64_t)TYPE_BYTES + ret->n_chars +
			 ret->n_leaps * (uint64_t)(width + 4) + ret->n_isstd +
			 (uint64_t)ret->n_isut;
	*in = span_from(*in, HEADER_BYTES);
	if (bytes > in->len)
		return false;
	const uint8_t *data = (const uint8_t *)in->ptr;
	ret->at_s = data;
	ret->change_types = ret->at_s + ret->n_changes * width;
	ret->types = ret->change_types + ret->n_changes;
	ret->chars = (const char *)(ret->types + (size_t)ret->n_types * TYPE_BYTES);
	*in = span_from(*in, (size_t)bytes);
	return true;
}

static bool fill_types(struct zone *z, const struct block *b)
{
	if (b->n_types == 0 || b->n_types > ZONE_TYPES_MAX)
		return false;
	for (size_t i = 0; i < b->n_types; i++) {
		const uint8_t *t = b->types + i * TYPE_BYTES;
		int32_t offset_s = (int32_t)get_u32(t);
		uint8_t name = t[5];
		if (offset_s <= -OFFSET_MAX_S || offset_s >= OFFSET_MAX_S || name >= b->n_chars)
			return false;
		z->types[i] = (struct zone_type){offset_s, z->names + name};
	}
	z->n_types = b->n_types;
	return true;
}

static bool fill_changes(struct zone *z, const struct block *b, size_t width)
{
	int64_t before_s = FOREVER_S;
	for (size_t i = 0; i < b->n_changes; i++) {
		int64_t at_s = get_time(b->at_s + i * width, width);
		uint8_t type = b->change_types[i];
		if (at_s <= before_s || at_s >= ASKED_MAX_S || type >= z->n_types)
			return false;
		z->changes[i] = (struct zone_change){at_s, type};
		before_s = at_s;
	}
	z->n_changes = b->n_changes;
	return true;
}

/* LF, the rule, LF; the rule may be empty. */
static bool fill_rule(struct zone *z, struct span footer)
{
	if (footer.len == 0 || footer.ptr[0] != '\n')
		return false;
	footer = span_from(footer, 1);
	size_t len = span_find(footer, '\n');
	if (len == footer.len)
		return false;
	z->has_rule = len > 0;
	return len == 0 || zone_rule_parse(span_first(footer, len), &z->rule) == 0;
}

static int fill_zone(struct zone *z, const struct block *b, size_t width, const char **ret_why)
{
	if (b->n_leaps > 0) {
		*ret_why = "a time zone that counts leap seconds (right/...) cannot be used";
		return -EINVAL;
	}
	z->names = malloc(b->n_chars + 1U);
	z->changes = calloc(b->n_changes + 1U, sizeof(*z->changes));
	if (!z->names || !z->changes)
		return -ENOMEM;
	memcpy(z->names, b->chars, b->n_chars);
	z->names[b->n_chars] = '\0';
	if (!fill_types(z, b) || !fill_changes(z, b, width)) {
		*ret_why = "the time zone's file is damaged";
		return -EINVAL;
	}
	return 0;
}

int zone_from_file(struct span tzif, struct zone **ret, const char **ret_why)
{
	struct block b;
	bool has_second = tzif.len > 4 && tzif.ptr[4] >= '2';
	size_t width = has_second ? 8 : 4;
	*ret_why = "the time zone's file is damaged";
	if (!take_block(&tzif, 4, &b) || (has_second && !take_block(&tzif, 8, &b)))
		return -EINVAL;
	struct zone *z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	int r = fill_zone(z, &b, width, ret_why);
	if (r == 0 && has_second && !fill_rule(z, tzif))
		r = -EINVAL;
	if (r < 0) {
		zone_free(z);
		return r;
	}
	*ret = z;
	return 0;
}

/* --- by name --- */

static int zone_from_rule(const struct zone_rule *rule, struct zone **ret)
{
	struct zone *z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	z->rule = *rule;
	z->has_rule = true;
	*ret = z;
	return 0;
}

static int zone_from_offset(const char *name, int32_t offset_s, struct zone **ret)
{
	struct zone_rule rule = {.std_offset_s = offset_s};
	(void)snprintf(rule.std_name, sizeof(rule.std_name), "%s", name);
	return zone_from_rule(&rule, ret);
}

static int zone_from_path(const char *path, struct zone **ret, const char **ret_why)
{
	struct buf bytes = BUF_EMPTY;
	int r = file_read(AT_FDCWD, path, ZONE_FILE_MAX, &bytes);
	if (r == 0)
		r = zone_from_file(buf_span(&bytes), ret, ret_why);
	buf_free(&bytes);
	return r;
}

/* Names become paths: no way out of the folder. */
static bool is_plain_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-/";
	return name[0] != '\0' && name[0] != '/' && name[strspn(name, allowed)] == '\0';
}

static int zone_from_database(const char *name, struct zone **ret, const char **ret_why)
{
	const char *dir = getenv("TZDIR");
	char path[ZONE_PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : ZONE_DIR, name);
	if (!is_plain_name(name) || len < 0 || (size_t)len >= sizeof(path))
		return -ENOENT;
	return zone_from_path(path, ret, ret_why);
}

static bool two_digits(const char *s, int max, int *ret)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return false;
	*ret = (s[0] - '0') * 10 + (s[1] - '0');
	return *ret <= max;
}

/* +hh:mm, +hhmm, +hh */
static bool parse_offset(const char *name, int32_t *ret_s)
{
	int hours, minutes = 0;
	if ((name[0] != '+' && name[0] != '-') || !two_digits(name + 1, 23, &hours))
		return false;
	const char *rest = name + 3;
	if (*rest == ':')
		rest++;
	if (*rest != '\0' || rest > name + 3) {
		if (!two_digits(rest, 59, &minutes) || rest[2] != '\0')
			return false;
	}
	int32_t offset_s = hours * 3600 + minutes * 60;
	*ret_s = name[0] == '-' ? -offset_s : offset_s;
	return true;
}

/* As tzset(3) reads TZ. */
static int zone_of_environment(const char *tz, struct zone **ret, const char **ret_why)
{
	struct zone_rule rule;
	if (tz[0] == ':')
		tz++;
	if (tz[0] == '\0')
		return zone_from_offset("UTC", 0, ret);
	int r = tz[0] == '/' ? zone_from_path(tz, ret, ret_why)
			     : zone_from_database(tz, ret, ret_why);
	if (r == -ENOENT && zone_rule_parse(span_of(tz), &rule) == 0)
		return zone_from_rule(&rule, ret);
	if (r < 0 && r != -EINVAL && r != -ENOMEM) {
		*ret_why = "the variable TZ does not name a time zone that can be read";
		return -EINVAL;
	}
	return r;
}

static int zone_local(struct zone **ret, const char **ret_why)
{
	const char *tz = getenv("TZ");
	if (tz)
		return zone_of_environment(tz, ret, ret_why);
	int r = zone_from_path(ZONE_LOCAL_FILE, ret, ret_why);
	if (r == -ENOENT)
		return zone_from_offset("UTC", 0, ret);
	if (r < 0 && r != -EINVAL && r != -ENOMEM) {
		*ret_why = ZONE_LOCAL_FILE " cannot be read";
		return -EINVAL;
	}
	return r;
}

int zone_new(const char *name, struct zone **ret, const char **ret_why)
{
	int32_t offset_s;
	if (strcmp(name, "local") == 0)
		return zone_local(ret, ret_why);
	if (strcmp(name, "UTC") == 0)
		return zone_from_offset("UTC", 0, ret);
	if (parse_offset(name, &offset_s))
		return zone_from_offset("", offset_s, ret);
	int r = zone_from_database(name, ret, ret_why);
	if (r < 0 && r != -EINVAL && r != -ENOMEM) {
		*ret_why = "not a time zone: local, UTC, an offset (+02:00), or a name that "
			   "the tz database has (Europe/Berlin; package tzdata)";
		return -EINVAL;
	}
	return r;
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->changes);
	free(z->names);
	free(z);
}
