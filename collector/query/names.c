/* Names of fields: see names.h. A wrong name looks like an answer ("nothing", or one row for all);
 * so it is said, with what would have been possible. */
#include "collector/query/names.h"

#include "collector/query/near.h"
#include "common/columns.h"
#include "common/jsonscan.h"
#include "common/log.h"
#include "common/logfmt.h"

#include <stdio.h>

enum { LOOK_BYTES = 64 * 1024 };

static void add(struct field_names *names, struct span name)
{
	if (names->n == NAMES_MAX || name.len > NAMES_LEN || name.len == 0)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (span_is(name, names->text[i]))
			return;
	memcpy(names->text[names->n], name.ptr, name.len);
	names->text[names->n++][name.len] = '\0';
}

void field_names_note(struct field_names *names, struct span lines)
{
	struct span key, value;
	struct json_found found;
	size_t at = 0;
	if (lines.len > LOOK_BYTES)
		lines.len = LOOK_BYTES;
	const char *brace = memmem(lines.ptr, lines.len, " {\"", 3);
	struct span text = brace ? span_from(lines, (size_t)(brace + 1 - lines.ptr)) : lines;
	text.len = span_find(text, '\n');
	if (brace) {
		while (jsonscan_member(text, &at, &key, &found) == 1)
			add(names, key);
		return;
	}
	struct columns c;
	(void)columns_split(text, &c);
	while (logfmt_next(c.message, &at, &key, &value))
		add(names, key);
}

void field_names_tell(const struct field_names *names, const char *option, struct span field)
{
	char list[NAMES_MAX * (NAMES_LEN + 2) + 32] = "";
	size_t len = 0;
	for (size_t i = 0; i < names->n; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "; there are ", names->text[i]);
	char near_word[NEAR_TEXT_MAX];
	struct near near = {.distance = 0};
	for (size_t i = 0; i < names->n; i++)
		near_offer(&near, field, span_of(names->text[i]));
	log_error("%s: no line has a field '%.*s'%s%s", option, (int)field.len, field.ptr, list,
		  near_text(&near, near_word));
}
