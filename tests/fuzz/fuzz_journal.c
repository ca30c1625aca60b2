/* What comes back to a journal's streams from registry and collector, and what journals say of an
 * entry: a state that is taken is written back as one that says the same, and names are always
 * valid. */
#include "agent/journal/record.h"
#include "agent/journal/stream.h"
#include "common/name.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_state(struct span text)
{
	struct journal_place p, q;
	struct frame_state f, g;
	struct buf out = BUF_EMPTY;
	if (stream_state_decode(text, &p, &f) < 0)
		return;
	int r = stream_state_encode(&p, &f, &out);
	assert(r == 0);
	r = stream_state_decode(buf_span(&out), &q, &g);
	assert(r == 0 && q.upto.number == p.upto.number && q.last.number == p.last.number);
	assert(!p.last.number || cursor_equal(&p.last.cursor, &q.last.cursor));
	buf_free(&out);
}

/* Fields, a line each. */
static void try_record(struct span text)
{
	static const char *const templates[] = {"", "{unit}", "{identifier}.x", "fixed"};
	struct record r = {0};
	struct buf service = BUF_EMPTY, instance = BUF_EMPTY;
	while (text.len) {
		size_t n = span_find(text, '\n');
		int e = record_take(&r, span_first(text, n));
		assert(e == 0);
		text = span_from(text, n < text.len ? n + 1 : n);
	}
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		struct input in = {.service = templates[i]};
		int e = record_service(&r, &in, &service);
		assert(e == 0 && name_valid(buf_span(&service)));
	}
	int e = record_instance(&r, &instance);
	assert(e == 0 && (!instance.len || name_valid(buf_span(&instance))));
	(void)record_time_us(&r);
	(void)record_is_error(&r);
	record_free(&r);
	buf_free(&service);
	buf_free(&instance);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	try_state(text);
	try_record(text);
	return 0;
}
