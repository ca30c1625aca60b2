/* Files of one log, in the order in which they were written. A rotated file has lines that were
 * written before those of the file that took its name, so it goes first: while it has unread bytes
 * that can be read, a younger one does not begin. And a container's line may begin in one and go on
 * in the next (agent/lines/envelope.h).
 *
 * A younger file waits for what the older one had when it was first asked for, so that a writer who
 * stays with the renamed file does not hold up the new one; and at most ELDER_PATIENCE_NS for one
 * that does not get on: whose bytes are being compared, that cannot be read, or that itself waits.
 *
 * Names tell the order of plain files, true names at the time of asking. Those of containers are
 * rotated too fast for that, and compressed files are born anew: they are ordered by the time of
 * their first line, which travels with the stream. */
#ifndef HAUL_AGENT_ELDER_H
#define HAUL_AGENT_ELDER_H

#include "agent/files/source.h"

#define ELDER_PATIENCE_NS           (10 * INT64_C(1000000000))
#define ELDER_CONTAINER_PATIENCE_NS (60 * INT64_C(1000000000)) /* for a line would be cut apart */

/* Must the source, of which nothing has been read, wait for an older one? That one is ready
 * then. */
bool elder_goes_first(struct source_table *t, struct source *s, int64_t now_ns);
/* Then it gets its next turn when the older one has had one, and is asked again each second. */
void elder_wait(struct source_table *t, struct source *s, int64_t now_ns);
void elder_wait_over(struct source *s);
/* Those whose second is over become ready. */
void elder_tick(struct source_table *t, int64_t now_ns);
int64_t elder_next_ns(const struct source_table *t); /* monotonic; INT64_MAX: nobody waits */

/* Must it wait for that one to be found, or to be readable? */
bool elder_is_worth_waiting_for(struct source *s, const struct source *elder, int64_t now_ns);

/* It had a turn, in which nothing was read (`spent`) or something was. */
void elder_had_turn(struct source_table *t, struct source *s, bool spent);

/* What the source is, or where its bytes are, has been found out: who waits for that gets a
 * turn. */
void elder_wake(struct source_table *t, struct source *s);

/* --- of containers only --- */

/* The file directly before `s` whose lines it may go on; NULL: there is none that is known, or
 * another one does. */
struct source *elder_before(struct source_table *t, struct source *s);
/* The file that goes on the lines of `s`, as it says itself; NULL: none does (yet). */
struct source *elder_heir(const struct source_table *t, const struct source *s);
/* Will one of which nothing was read yet, or of which that is not known yet? */
bool elder_may_have_heir(struct source_table *t, struct source *s);
/* Does the file before it need it, to know what has become of its lines? */
bool elder_is_needed(const struct source_table *t, const struct source *s);

#endif
