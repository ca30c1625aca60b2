/* Service names: see service_name.h. Discover asks once for each source; the result is part of the
 * stream for good, also when the file is renamed later. */
#include "agent/files/service_name.h"

#include "agent/files/container_name.h"
#include "agent/files/rotation.h"
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

/* What the words of a template may stand for. */
struct facts {
	struct span dir, stem;
	struct container_name container;
};

static struct span word_of(const struct facts *f, struct span word)
{
	const struct container_name *c = &f->container;
	if (span_is(word, "stem"))
		return f->stem;
	if (span_is(word, "dir"))
		return f->dir;
	if (span_is(word, "name") || span_is(word, "container"))
		return span_of(c->name);
	if (span_is(word, "image"))
		return span_of(c->image);
	if (span_is(word, "pod"))
		return span_of(c->pod);
	if (span_is(word, "namespace"))
		return span_of(c->namespace);
	if (span_starts_with(word, SPAN_LITERAL("label:")))
		return container_label(c, span_from(word, strlen("label:")));
	return (struct span){NULL, 0};
}

static int expand(struct buf *out, struct span template, const struct facts *f)
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
		r = buf_add_span(out, word_of(f, span_make(template.ptr + 1, close - 1)));
		template = span_from(template, close + 1);
	}
	return r;
}

static const char *template_of(const struct input *input, const struct facts *f)
{
	bool alone = !f->dir.len || span_is(f->dir, "log") || span_is(f->dir, "logs") ||
		     span_equal(f->dir, f->stem);
	const char *plain = alone ? "{stem}" : "{dir}.{stem}";
	if (*input->service)
		return input->service;
	switch (input->type) {
	case INPUT_DOCKER:
	case INPUT_PODMAN: return "{name}";
	case INPUT_CRI: return *f->container.pod ? "{namespace}.{container}" : plain;
	case INPUT_FILE:
	case INPUT_JOURNAL: break;
	}
	return plain;
}

static int facts_of(const struct input *input, const char *path, struct facts *ret)
{
	struct span dir = path_dir(path);
	size_t slash = dir.len;
	while (slash > 0 && dir.ptr[slash - 1] != '/')
		slash--;
	ret->stem = rotation_stem(path_name(path));
	ret->dir = span_from(dir, slash);
	return container_name_of(input->type, path, &ret->container);
}

static int add_name(struct buf *out, struct span text)
{
	struct buf name = BUF_EMPTY;
	int r = name_make(text, &name);
	if (r == 0)
		r = buf_add_span(out, buf_span(&name));
	buf_free(&name);
	return r;
}

int service_name(const struct input *input, const char *path, struct buf *out)
{
	struct facts f;
	struct buf text = BUF_EMPTY;
	int r = facts_of(input, path, &f);
	if (r < 0)
		return r;
	r = expand(&text, span_of(template_of(input, &f)), &f);
	if (r == 0)
		r = add_name(out, text.len ? buf_span(&text) : span_of(f.container.name));
	container_name_free(&f.container);
	buf_free(&text);
	return r;
}

int service_instance(const struct input *input, const char *path, struct buf *out)
{
	struct facts f;
	int r = facts_of(input, path, &f);
	if (r < 0)
		return r;
	struct span instance = span_of(f.container.pod);
	bool named = !*input->service || strstr(input->service, "{name}");
	if ((input->type == INPUT_DOCKER || input->type == INPUT_PODMAN) && !named)
		instance = span_of(f.container.name);
	if (instance.len)
		r = add_name(out, instance);
	container_name_free(&f.container);
	return r;
}
