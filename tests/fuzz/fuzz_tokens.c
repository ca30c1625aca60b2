/* Any bytes as a tokens file, and as the token that is looked for in it: what is taken can be
 * looked up, and nothing but a whole token is found. */
#include "collector/ingest/tokens.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct tokens tokens = {0};
	size_t line = 0;
	const char *why = NULL;
	if (tokens_parse(text, &tokens, &line, &why) < 0) {
		if (!why || tokens.n)
			abort();
		return 0;
	}
	for (size_t i = 0; i < tokens.n; i++) {
		if (!tokens_valid_hosts(span_of(tokens.items[i].hosts)))
			abort();
		(void)token_allows(&tokens.items[i], text);
		(void)token_allows(&tokens.items[i], span_of(tokens.items[i].hosts));
	}
	const struct token *found = tokens_find(&tokens, text);
	if (found && size != TOKEN_LEN)
		abort();
	tokens_free(&tokens);
	return 0;
}
