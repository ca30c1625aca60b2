/* The table of textual forms: see stamp_forms.h. Called by stamp.c (the form that the last line
 * had), stamp_search.c (all of them) and stamp_json.c (values).
 *
 * To add a form: a function, a line in the enum, a line in the table, and lines in the unit test's
 * tables: what it takes, and what looks like it and is none. */
#include "agent/stamp/stamp_forms.h"

#include <assert.h>

/* In the order of trying: grouped by what they begin with, the usual ones first. */
enum form {
	FORM_ISO,
	FORM_DAY_FIRST,
	FORM_SHORT_YEAR,
	FORM_COMPACT,
	FORM_MONTH_DAY,
	FORM_EPOCH,
	FORM_SIX_SIX,
	FORM_ISO_MONTH,
	FORM_DOTTED,
	FORM_AMERICAN,
	FORM_COLUMN_EPOCH,
	FORM_MONTH_FIRST,
	FORM_WEEKDAY,
	FORM_KLOG,
	FORM_AUDIT,
	FORM_KEY_VALUE,
	FORM_LABEL_EPOCH,
	FORM_DASH_EPOCH,
	FORM_BRACKETED,
	FORM_TAI64N,
	FORM_COUNT,
	FORM_DIGIT_FIRST = FORM_ISO,
	FORM_LETTER_FIRST = FORM_MONTH_FIRST,
	FORM_OTHER_FIRST = FORM_DASH_EPOCH,
};

_Static_assert(FORM_COUNT <= STAMP_FORMS_MAX, "stamp_memory tells forms from JSON keys by this");

#define START    STAMP_AT_START
#define PREFIX   (STAMP_AT_START | STAMP_IN_PREFIX)
#define ANYWHERE (STAMP_AT_START | STAMP_IN_PREFIX | STAMP_AS_VALUE)

/* Runs longer than this count as this. */
#define RUN_MAX  31
#define RUN(n)   (UINT32_C(1) << (n))
#define RUN_1_2  (RUN(1) | RUN(2))
#define RUN_LONG (RUN(10) | RUN(13) | RUN(16) | RUN(19))
#define RUN_ANY  (~UINT32_C(0))
/* What the keys of stamp_key.c begin with. */
#define RUN_KEYS (RUN_1_2 | RUN(4) | RUN(7) | RUN(8) | RUN(9) | RUN(10))

static const struct stamp_form forms[FORM_COUNT] = {
	[FORM_ISO] = {stamp_read_iso, ANYWHERE, RUN(4)},
	[FORM_DAY_FIRST] = {stamp_read_day_first, ANYWHERE, RUN_1_2},
	[FORM_SHORT_YEAR] = {stamp_read_short_year, ANYWHERE, RUN(2)},
	[FORM_COMPACT] = {stamp_read_compact, ANYWHERE, RUN(8)},
	[FORM_MONTH_DAY] = {stamp_read_month_day, START, RUN(2)},
	[FORM_EPOCH] = {stamp_read_epoch, START, RUN_LONG},
	[FORM_SIX_SIX] = {stamp_read_six_six, START, RUN(6)},
	[FORM_ISO_MONTH] = {stamp_read_iso_month, ANYWHERE, RUN(4)},
	[FORM_DOTTED] = {stamp_read_dotted, ANYWHERE, RUN_1_2},
	[FORM_AMERICAN] = {stamp_read_american, ANYWHERE, RUN_1_2},
	[FORM_COLUMN_EPOCH] = {stamp_read_column_epoch, START, RUN_ANY},
	[FORM_MONTH_FIRST] = {stamp_read_month_first, ANYWHERE, RUN(3)},
	[FORM_WEEKDAY] = {stamp_read_weekday, ANYWHERE, RUN(3)},
	[FORM_KLOG] = {stamp_read_klog, PREFIX, RUN(1)},
	[FORM_AUDIT] = {stamp_read_audit, PREFIX, RUN(3)},
	[FORM_KEY_VALUE] = {stamp_read_key_value, PREFIX, RUN_KEYS},
	[FORM_LABEL_EPOCH] = {stamp_read_label_epoch, START, RUN_ANY},
	[FORM_DASH_EPOCH] = {stamp_read_dash_epoch, START, '-'},
	[FORM_BRACKETED] = {stamp_read_bracketed, START, '['},
	[FORM_TAI64N] = {stamp_read_tai64n, START, '@'},
};

static bool read_form(int form, const char *at, const char *line_end, struct moment *m)
{
	*m = (struct moment){0};
	const char *behind = forms[form].read(at, line_end, m);
	return behind && text_is_boundary(behind, line_end);
}

/* How many digits or letters stand in a row. */
static inline unsigned run_of(const char *at, const char *line_end, bool (*is_one)(char c))
{
	unsigned n = 0;
	while (n < RUN_MAX && at + n < line_end && is_one(at[n]))
		n++;
	return n;
}

/* The forms that begin with neither a digit nor a letter. */
static int read_other(const char *at, const char *line_end, enum stamp_place place,
		      struct moment *m)
{
	if (at == line_end)
		return -1;
	for (int form = FORM_OTHER_FIRST; form < FORM_COUNT; form++) {
		if ((forms[form].places & place) && forms[form].begins == (uint8_t)*at &&
		    read_form(form, at, line_end, m))
			return form;
	}
	return -1;
}

int stamp_forms_read(const char *at, const char *line_end, enum stamp_place place, struct moment *m)
{
	int form = FORM_DIGIT_FIRST, last = FORM_LETTER_FIRST;
	unsigned run = run_of(at, line_end, text_is_digit);
	if (run == 0) {
		form = FORM_LETTER_FIRST;
		last = FORM_OTHER_FIRST;
		run = run_of(at, line_end, text_is_letter);
	}
	if (run == 0)
		return read_other(at, line_end, place, m);
	for (; form < last; form++) {
		if ((forms[form].places & place) && (forms[form].begins >> run & 1) &&
		    read_form(form, at, line_end, m))
			return form;
	}
	return -1;
}

bool stamp_forms_read_one(int index, const char *at, const char *line_end, struct moment *m)
{
	assert(index >= 0 && index < FORM_COUNT);
	return read_form(index, at, line_end, m);
}

bool stamp_forms_read_value(struct span value, struct moment *m)
{
	if (stamp_forms_read(value.ptr, value.ptr + value.len, STAMP_AS_VALUE, m) >= 0)
		return true;
	*m = (struct moment){.kind = MOMENT_EPOCH};
	return moment_epoch(value, false, &m->epoch_us);
}
