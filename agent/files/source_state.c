/* What a source can be, and how it becomes something else: see source.h; ARCHITECTURE.md has the
 * diagram. Every step goes through source_move. */
#include "agent/files/source.h"

#include "agent/files/source_table.h"

#include <stdlib.h>

const char *source_state_name(enum source_state s)
{
	switch (s) {
	case SOURCE_NEW: return "new";
	case SOURCE_STRAY: return "stray";
	case SOURCE_COPY: return "copy";
	case SOURCE_MISSING: return "missing";
	case SOURCE_FOLLOWING: return "following";
	case SOURCE_ROTATED: return "rotated";
	case SOURCE_UNLINKED: return "unlinked";
	case SOURCE_DRAINED: return "drained";
	case SOURCE_ENDING: return "ending";
	case SOURCE_ENDED: return "ended";
	}
	return "?";
}

#define TO(state) (1u << SOURCE_##state)

/* Which steps there are. */
static const unsigned steps[] = {
	[SOURCE_NEW] =
		TO(FOLLOWING) | TO(ROTATED) | TO(UNLINKED) | TO(STRAY) | TO(MISSING) | TO(ENDED),
	[SOURCE_STRAY] = TO(COPY) | TO(NEW) | TO(MISSING) | TO(ENDED),
	[SOURCE_COPY] = TO(STRAY) | TO(NEW) | TO(MISSING) | TO(ENDED),
	[SOURCE_MISSING] =
		TO(NEW) | TO(FOLLOWING) | TO(ROTATED) | TO(UNLINKED) | TO(DRAINED) | TO(ENDED),
	/* DRAINED at once: a journal's stream that nobody writes to */
	[SOURCE_FOLLOWING] = TO(ROTATED) | TO(UNLINKED) | TO(MISSING) | TO(DRAINED),
	[SOURCE_ROTATED] = TO(FOLLOWING) | TO(UNLINKED) | TO(DRAINED) | TO(MISSING),
	[SOURCE_UNLINKED] = TO(FOLLOWING) | TO(ROTATED) | TO(DRAINED) | TO(MISSING),
	[SOURCE_DRAINED] = TO(ENDING) | TO(ENDED) | TO(ROTATED) | TO(UNLINKED) | TO(MISSING),
	[SOURCE_ENDING] = TO(DRAINED) | TO(ENDED) | TO(ROTATED) | TO(UNLINKED) | TO(MISSING),
	[SOURCE_ENDED] = 0,
};

bool source_may_move(enum source_state from, enum source_state to)
{
	return steps[from] & (1u << to);
}

bool source_is_stray(const struct source *s)
{
	return s->state == SOURCE_STRAY || s->state == SOURCE_COPY;
}

bool source_was_stray(const struct source *s)
{
	return s->was == SOURCE_STRAY || s->was == SOURCE_COPY;
}

bool source_may_be_read(const struct source *s)
{
	if (s->held || s->refusal)
		return false;
	switch (s->state) {
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED:
	case SOURCE_DRAINED: return true;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_MISSING:
	case SOURCE_ENDING:
	case SOURCE_ENDED: return false;
	}
	return false;
}

static void refuse_move(struct source *s, enum source_state to)
{
	log_gated(&s->error_gate, LOG_LEVEL_ERROR,
		  "%s cannot become %s, for it is %s: a fault of haul-agent, please report it",
		  s->path, source_state_name(to), source_state_name(s->state));
#ifdef HAUL_STRICT
	abort();
#endif
}

void source_move(struct source_table *t, struct source *s, enum source_state to)
{
	if (s->state == to)
		return;
	if (!source_may_move(s->state, to)) {
		refuse_move(s, to);
		return;
	}
	s->state = to;
	if (to == SOURCE_ENDED && !s->journal) {
		source_unindex_ino(t, s);
		source_notice(t, s);
	}
	if (!source_may_be_read(s))
		list_remove(&s->ready);
	source_redefine(t, s);
}
