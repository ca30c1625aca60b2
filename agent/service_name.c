/* Service names: see service_name.h. Discover asks once for each source; the result is part of the stream for
 * good, also when the file is renamed later. */
#include "agent/service_name.h"

#include "agent/rotation.h"
#include "common/name.h"

#include <errno.h>

/* Which words a type's template may have. A container's own are known to its discovery. */
static const char *const *words_of(enum input_type type)
{
	static const char *const file[] = {"stem", "dir", NULL};
	static const char *const docker[] = {"name", "image", "label:", NULL};
	static const char *const cri[] = {"namespace", "container", "pod", NULL};
	static const char *const journal[] = {"unit", "identifier", NULL};
	switch (type) {
	case INPUT_FILE: return file;
	case INPUT_DOCKER:
	case INPUT_PODMAN: return docker;
	case INPUT_CRI: return cri;
	case INPUT_JOURNAL: return journal;
	}
	return file;
}

/* A word that ends in a colon takes a key behind it. */
static bool is_word(struct span word, struct span known)
{
	if (known.ptr[known.len - 1] != ':')
		return span_equal(word, known);
	return word.len > known.len && span_starts_with(word, known);
}

int service_template_check(enum input_type type, const char *template, const char **ret_why)
{
	for (const char *open = strchr(template, '{'); open; open = strchr(open + 1, '{')) {
		const char *close = strchr(open, '}');
		*ret_why = "a { without }";
		if (!close)
			return -EINVAL;
		struct span word = span_make(open + 1, (size_t)(close - open - 1));
		bool known = false;
		for (const char *const *w = words_of(type); *w && !known; w++)
			known = is_word(word, span_of(*w));
		*ret_why = "it names something that this type of input does not have";
		if (!known)
			return -EINVAL;
	}
	return 0;
}

static int add_word(struct buf *out, struct span word, struct span dir, struct span stem)
{
	if (span_is(word, "stem"))
		return buf_add_span(out, stem);
	if (span_is(word, "dir"))
		return buf_add_span(out, dir);
	return 0;
}

static int expand(struct buf *out, struct span template, struct span dir, struct span stem)
{
	int r = 0;
	while (template.len && r == 0) {
		size_t n = span_find(template, '{');
		r = buf_add_span(out, span_first(template, n));
		template = span_from(template, n);
		size_t close = span_find(template, '}');
		if (!template.len || r < 0)
			break;
		if (close == template.len)
			return buf_add_span(out, template);
		struct span word = span_make(template.ptr + 1, close - 1);
		template = span_from(template, close + 1);
		r = add_word(out, word, dir, stem);
	}
	return r;
}

int service_name(const struct input *input, const char *path, struct buf *out)
{
	struct span stem = rotation_stem(path_name(path)), parent = path_dir(path);
	struct buf text = BUF_EMPTY, name = BUF_EMPTY;
	size_t slash = parent.len;
	while (slash > 0 && parent.ptr[slash - 1] != '/')
		slash--;
	struct span dir = span_from(parent, slash);
	bool alone =
		!dir.len || span_is(dir, "log") || span_is(dir, "logs") || span_equal(dir, stem);
	const char *template = *input->service ? input->service : alone ? "{stem}" : "{dir}.{stem}";
	int r = expand(&text, span_of(template), dir, stem);
	if (r == 0)
		r = name_make(buf_span(&text), &name);
	if (r == 0)
		r = buf_add_span(out, buf_span(&name));
	buf_free(&text);
	buf_free(&name);
	return r;
}
