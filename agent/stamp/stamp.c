/* The time of a line: see stamp.h. Called by the pump once for each line, in the order of the file.
 *
 * The flow for `auto`:
 *
 *     indented? none -> where the last line had it -> JSON, or search of the prefix
 *
 * A source whose lines have no time must cost little, too: after PATIENCE lines without one only
 * the line's start (for JSON the first bytes) is looked at, and every PATIENCE-th line in full, so
 * that a time that appears late is found soon. */
#include "agent/stamp/stamp.h"

#include "agent/stamp/stamp_format.h"
#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_json.h"
#include "agent/stamp/stamp_key.h"
#include "agent/stamp/stamp_search.h"

#include <errno.h>
#include <stdlib.h>

#define PATIENCE        16
#define IMPATIENT_REACH 64 /* bytes of a JSON object, once patience is at its end */

/* A source that had no time yet, or lost it, may have one word before it: a program's name. */
#define WORDS_UNSETTLED 1

#define JSON_PATH_MAX 255

_Static_assert(STAMP_FORMS_MAX + STAMP_KEYS <= UINT8_MAX, "stamp_memory.format holds either");

enum stamp_mode { STAMP_AUTO, STAMP_NONE, STAMP_JSON_KEY, STAMP_FORMAT };

struct stamp {
	enum stamp_mode mode;
	char *argument; /* of json: and strptime: ; owned */
	struct zone *zone;
	/* The offset of the zone, and for which local times it is that: one for all sources, for
	 * most write of the same times. */
	struct zone_range *range; /* owned */
};

/* --- making --- */

static int check_path(const char *path, const char **ret_why)
{
	size_t len = strlen(path);
	if (len > 0 && len <= JSON_PATH_MAX)
		return 0;
	*ret_why = "json: wants a key of 1 to 255 bytes behind it";
	return -EINVAL;
}

static int parse_spec(const char *spec, struct stamp *s, const char **ret_why)
{
	static const char json[] = "json:", format[] = "strptime:";
	const char *argument = NULL;
	int r = 0;
	if (strcmp(spec, "auto") == 0) {
		s->mode = STAMP_AUTO;
	} else if (strcmp(spec, "none") == 0) {
		s->mode = STAMP_NONE;
	} else if (strncmp(spec, json, sizeof(json) - 1) == 0) {
		s->mode = STAMP_JSON_KEY;
		argument = spec + sizeof(json) - 1;
		r = check_path(argument, ret_why);
	} else if (strncmp(spec, format, sizeof(format) - 1) == 0) {
		s->mode = STAMP_FORMAT;
		argument = spec + sizeof(format) - 1;
		r = stamp_format_check(argument, ret_why);
	} else {
		*ret_why = "not one of auto, none, json:KEY, strptime:FORMAT";
		r = -EINVAL;
	}
	if (r < 0 || !argument)
		return r;
	s->argument = strdup(argument);
	return s->argument ? 0 : -ENOMEM;
}

int stamp_new(const char *spec, const char *timezone, struct stamp **ret, const char **ret_why)
{
	struct stamp *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	int r = parse_spec(spec, s, ret_why);
	if (r == 0)
		r = zone_new(timezone, &s->zone, ret_why);
	if (r == 0 && !(s->range = calloc(1, sizeof(*s->range))))
		r = -ENOMEM;
	if (r < 0) {
		stamp_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void stamp_free(struct stamp *s)
{
	if (!s)
		return;
	zone_free(s->zone);
	free(s->range);
	free(s->argument);
	free(s);
}

/* --- memory --- */

static bool remembers_json(const struct stamp_memory *memory)
{
	return memory->format > STAMP_FORMS_MAX;
}

static bool remembers_form(const struct stamp_memory *memory)
{
	return memory->format > 0 && memory->format <= STAMP_FORMS_MAX;
}

static struct stamp_json_place json_place(const struct stamp_memory *memory)
{
	if (!remembers_json(memory))
		return (struct stamp_json_place){-1, false, 0};
	int key = memory->format - STAMP_FORMS_MAX - 1;
	return (struct stamp_json_place){key, memory->from_end, memory->at};
}

static void remember_json(struct stamp_memory *memory, struct stamp_json_place place)
{
	memory->format = (uint8_t)(STAMP_FORMS_MAX + 1 + place.key);
	memory->at = place.at <= UINT16_MAX ? (uint16_t)place.at : 0;
	memory->from_end = place.from_end;
	memory->words = 0;
}

static void remember_form(struct stamp_memory *memory, struct stamp_found found)
{
	memory->format = (uint8_t)(1 + found.form);
	memory->at = found.at;
	memory->words = found.words;
	memory->bracket = found.bracket;
}

static void remember_miss(struct stamp_memory *memory)
{
	/* Goes round so that every PATIENCE-th line is looked at in full for ever. */
	memory->misses = memory->misses == UINT8_MAX ? UINT8_MAX + 1 - PATIENCE
						     : (uint8_t)(memory->misses + 1);
}

static bool is_patient(const struct stamp_memory *memory)
{
	return memory->misses < PATIENCE || memory->misses % PATIENCE == 0;
}

/* --- finding --- */

/* A line in hand. What looks like a time and is none (February 30) is not to be remembered, so a
 * moment counts only when it can be resolved. */
struct finding {
	const struct stamp *stamp;
	struct stamp_memory *memory;
	struct span line;
	int64_t now_us;
	int64_t us; /* the result */
};

static bool resolve(struct finding *f, const struct moment *m)
{
	return moment_resolve(m, f->stamp->zone, f->stamp->range, f->now_us, &f->us);
}

static bool find_json(struct finding *f)
{
	struct moment m;
	struct stamp_json_place place = json_place(f->memory);
	size_t reach = is_patient(f->memory) ? f->line.len : IMPATIENT_REACH;
	if (!stamp_json_find(f->line, reach, &place, &m) || !resolve(f, &m))
		return false;
	remember_json(f->memory, place);
	return true;
}

/* Where the last line had its time: behind the first bracket, or at the same place, when something
 * begins there. NULL: nowhere in this line. */
static const char *same_place(const struct stamp_memory *memory, struct span line)
{
	if (memory->bracket) {
		const char *bracket =
			memchr(line.ptr, '[', line.len < STAMP_REACH ? line.len : STAMP_REACH);
		return bracket ? bracket + 1 : NULL;
	}
	if (line.len <= memory->at)
		return NULL;
	const char *at = line.ptr + memory->at;
	struct text before = {at - 1, line.ptr + line.len};
	if (memory->at > 0 && !text_at_boundary(&before) && at[-1] != 'm') /* a colour ends in m */
		return NULL;
	return at;
}

static bool find_remembered(struct finding *f)
{
	struct moment m;
	if (!remembers_form(f->memory))
		return false;
	const char *at = same_place(f->memory, f->line);
	if (!at)
		return false;
	return stamp_forms_read_one(f->memory->format - 1, at, f->line.ptr + f->line.len, &m) &&
	       resolve(f, &m);
}

static bool find_form(struct finding *f)
{
	struct moment m;
	struct stamp_found found;
	bool settled = remembers_form(f->memory) && f->memory->misses < PATIENCE;
	unsigned words = settled ? f->memory->words : WORDS_UNSETTLED;
	bool hit = is_patient(f->memory) ? stamp_search_prefix(f->line, words, &found, &m)
					 : stamp_search_at_start(f->line, &found, &m);
	if (!hit || !resolve(f, &m))
		return false;
	remember_form(f->memory, found);
	return true;
}

static bool find_auto(struct finding *f)
{
	if (f->line.ptr[0] == '{' && find_json(f))
		return true;
	return find_remembered(f) || find_form(f);
}

static bool find_key(struct finding *f)
{
	struct moment m;
	struct stamp_json_place place = {-1, f->memory->from_end, f->memory->at};
	if (f->line.ptr[0] != '{' ||
	    !stamp_json_find_key(f->line, span_of(f->stamp->argument), &place, &m) ||
	    !resolve(f, &m))
		return false;
	f->memory->at = place.at <= UINT16_MAX ? (uint16_t)place.at : 0;
	f->memory->from_end = place.from_end;
	return true;
}

static bool find_formatted(struct finding *f)
{
	struct moment m;
	return stamp_format_read(f->stamp->argument, f->line, &m) && resolve(f, &m);
}

static bool find(struct finding *f)
{
	switch (f->stamp->mode) {
	case STAMP_AUTO: return find_auto(f);
	case STAMP_NONE: return false;
	case STAMP_JSON_KEY: return find_key(f);
	case STAMP_FORMAT: return find_formatted(f);
	}
	return false;
}

/* A line that begins with white space belongs to the one before it. */
static bool is_indented(struct span line)
{
	return line.len == 0 || line.ptr[0] == ' ' || line.ptr[0] == '\t' || line.ptr[0] == '\r';
}

int stamp_find(const struct stamp *s, struct stamp_memory *memory, struct span line, int64_t now_us,
	       int64_t *ret_us)
{
	struct finding f = {s, memory, line, now_us, 0};
	if (is_indented(line) && s->mode != STAMP_FORMAT)
		return 0;
	if (!find(&f)) {
		remember_miss(memory);
		return 0;
	}
	memory->misses = 0;
	*ret_us = f.us;
	return 1;
}
