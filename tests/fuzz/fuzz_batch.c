/* Bodies of batches, inflated: cut into chunks, checked line by line, rendered. Whatever is taken
 * stands in the archive as lines of haul's, under the host that was authenticated. */
#include "tests/fuzz/rendered.h"

#include <errno.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t RECEIVED_US = INT64_C(1795327200000000);

static void render(const struct batch_chunk *c, struct render_terms terms)
{
	struct span host = SPAN_LITERAL("web-01");
	struct rendered_chunk rendered;
	int r = render_chunk(c, host, terms, &rendered);
	fuzz_check(r == 0 || r == -E2BIG);
	if (r < 0)
		return;
	fuzz_check_chunk(c, &rendered, host);
	rendered_chunk_free(&rendered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct batch batch;
	char why[256] = "";
	struct span body = span_make((const char *)data, size);
	if (batch_parse(body, &batch, why, sizeof(why)) < 0) {
		fuzz_check(*why);
		return 0;
	}
	const char *at = body.ptr;
	for (size_t i = 0; i < batch.n_chunks; i++) {
		const struct batch_chunk *c = &batch.chunks[i];
		/* In order, within the body, and apart. */
		fuzz_check(c->payload.len == 0 ||
			   (c->payload.ptr >= at &&
			    c->payload.ptr + c->payload.len <= body.ptr + body.len));
		if (c->payload.len)
			at = c->payload.ptr + c->payload.len;
		if (c->refused)
			continue;
		render(c, (struct render_terms){RECEIVED_US, INT32_MIN, INT64_MAX});
		render(c, (struct render_terms){RECEIVED_US, civil_day_of_us(RECEIVED_US) - 30,
						RECEIVED_US + 86400 * NUM_SEC_NS / NUM_US_NS});
	}
	batch_free(&batch);
	return 0;
}
