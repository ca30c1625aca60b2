/* The parts that several forms of timestamps share. Each reads its part at `at`, puts it into the
 * moment and returns where the text goes on. What is optional and not there changes nothing. */
#ifndef HAUL_AGENT_STAMP_PART_H
#define HAUL_AGENT_STAMP_PART_H

#include "agent/stamp/moment.h"
#include "agent/stamp/text.h"

/* 05:40:00, 5:40:00, with a fraction and AM or PM when they follow. NULL: none. */
const char *stamp_part_time(const char *at, const char *line_end, struct moment *m);

/* .123456789 or ,123 or :123 behind the seconds; what is finer than microseconds is cut off. */
const char *stamp_part_fraction(const char *at, const char *line_end, struct moment *m);

/* Z, +02:00, +0200, +02, UTC, GMT+0200, CEST, also behind a blank. */
const char *stamp_part_zone(const char *at, const char *line_end, struct moment *m);

/* An English month (1 to 12) or weekday by its first three letters in any case, with no fourth
 * behind them; 0: none. */
unsigned stamp_part_month(const char *at, const char *line_end);
bool stamp_part_weekday(const char *at, const char *line_end);

/* Is the word the name of a level, in any case? One letter always is (I, W, E, D ...). */
bool stamp_part_level(struct span word);

#endif
