/* Errors among lines: see severity.h. Called by trace for each line that it shows. */
#include "collector/query/severity.h"

#include "common/columns.h"

#include <strings.h>

enum {
	NEAR_BYTES = 160, /* of a text, where its level would stand */
	BUNYAN_ERROR = 50,
	SYSLOG_ERROR = 3,
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_error_level(const struct json_found *level)
{
	static const char *const levels[] = {"error", "err",    "fatal", "critical",  "crit",
					     "panic", "severe", "alert", "emergency", "emerg"};
	struct span text = level->text;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (text.len == strlen(levels[i]) &&
		    strncasecmp(text.ptr, levels[i], text.len) == 0)
			return true;
	if (level->kind != JSONSCAN_NUMBER || text.len > 2)
		return false;
	int number = 0;
	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (text.ptr[i] - '0');
	return number >= BUNYAN_ERROR || number <= SYSLOG_ERROR;
}

/* ERROR, FATAL ... as a word of its own. */
static bool has_error_word(struct span text)
{
	static const char *const words[] = {"ERROR", "FATAL", "CRITICAL", "PANIC", "SEVERE"};
	if (text.len > NEAR_BYTES)
		text.len = NEAR_BYTES;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t len = strlen(words[i]);
		const char *at = memmem(text.ptr, text.len, words[i], len);
		if (!at || (at > text.ptr && is_word(at[-1])))
			continue;
		if (at + len == text.ptr + text.len || !is_word(at[len]))
			return true;
	}
	return false;
}

bool severity_is_error(struct span line, struct field_scratch *scratch)
{
	static const char *const names[] = {"level", "severity", "lvl", "log.level", "loglevel"};
	struct columns c;
	struct json_found level;
	struct field field;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (field_init(&field, span_of(names[i])) == 0 &&
		    field_get(&field, line, scratch, &level) == 1)
			return is_error_level(&level);
	(void)columns_split(line, &c);
	return has_error_word(c.message);
}
