/* The textual forms of timestamps, as a table: an entry and a function for each. */
#ifndef HAUL_AGENT_STAMP_FORMS_H
#define HAUL_AGENT_STAMP_FORMS_H

#include "agent/stamp/moment.h"
#include "agent/stamp/text.h"

/* Where a form may stand. The less it looks like a time and nothing else, the fewer places. */
enum stamp_place {
	STAMP_AT_START = 1,  /* at the beginning of the line */
	STAMP_IN_PREFIX = 2, /* at a word behind what log lines begin with (stamp_search.h) */
	STAMP_AS_VALUE = 4,  /* as the value of a key that says it is a time */
};

struct stamp_form {
	/* Reads the form at `at`: where the text goes on behind it; NULL when it does not stand
	 * there. *m is zeroed before, and in any state after a failure. Whether fields are in their
	 * ranges is moment_resolve's affair. */
	const char *(*read)(const char *at, const char *line_end, struct moment *m);
	unsigned places; /* of enum stamp_place */
	/* Bit n: it may begin with n digits (or letters) in a row. Of a form that begins with
	 * neither: the byte that it begins with. So most forms cost no call. */
	uint32_t begins;
};

#define STAMP_FORMS_MAX 64

/* The index of the form that stands at `at` and may stand at `place`, with what it says in *m; -1:
 * none. */
int stamp_forms_read(const char *at, const char *line_end, enum stamp_place place,
		     struct moment *m);

/* Does form `index` (as returned above) stand at `at`? */
bool stamp_forms_read_one(int index, const char *at, const char *line_end, struct moment *m);

/* The value of a key that says it is a time: a form, behind which further words may follow, or all
 * of it a number, as epoch. */
bool stamp_forms_read_value(struct span value, struct moment *m);

/* --- the forms, by what their dates are written with --- */

/* stamp_digits.c */
const char *stamp_read_iso(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_iso_month(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_compact(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_short_year(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_dotted(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_american(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_month_day(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_bracketed(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_six_six(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_klog(const char *at, const char *line_end, struct moment *m);

/* stamp_names.c */
const char *stamp_read_month_first(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_day_first(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_weekday(const char *at, const char *line_end, struct moment *m);

/* stamp_epochs.c */
const char *stamp_read_epoch(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_label_epoch(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_dash_epoch(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_column_epoch(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_audit(const char *at, const char *line_end, struct moment *m);
const char *stamp_read_tai64n(const char *at, const char *line_end, struct moment *m);

/* stamp_key.c */
const char *stamp_read_key_value(const char *at, const char *line_end, struct moment *m);

#endif
