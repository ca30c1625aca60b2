/* `haul-agent status`: asks the running agent and shows its account to a person. Called
 * by main. */
#include "agent/status.h"

#include "common/json.h"
#include "common/log.h"
#include "common/num.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

enum { ANSWER_MAX = 256 * 1024 * 1024, TIMEOUT_S = 10 };

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct buf *b = user;
	return buf_add(b, bytes, size * n) < 0 ? 0 : size * n;
}

static int fetch(const char *address, struct buf *out)
{
	char url[256], error[CURL_ERROR_SIZE] = "";
	if (!*address) {
		log_error("[agent] listen is empty: the agent has no status to show");
		return -ENOENT;
	}
	(void)snprintf(url, sizeof(url), "http://%s/status", address);
	CURL *c = curl_easy_init();
	if (!c)
		return -ENOMEM;
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	CURLcode r = curl_easy_perform(c);
	curl_easy_cleanup(c);
	if (r == CURLE_OK)
		return 0;
	log_error("no agent answers at %s: %s", address, *error ? error : curl_easy_strerror(r));
	return -EIO;
}

static const char *text_of(yajl_val object, const char *key, const char *otherwise)
{
	const char *path[] = {key, NULL};
	yajl_val v = yajl_tree_get(object, path, yajl_t_string);
	return v ? YAJL_GET_STRING(v) : otherwise;
}

static double number_of(yajl_val object, const char *key)
{
	const char *path[] = {key, NULL};
	yajl_val v = yajl_tree_get(object, path, yajl_t_number);
	return v ? YAJL_GET_DOUBLE(v) : 0;
}

/* 1.5K, 23M: short enough for a column. */
static const char *size_text(double bytes, char text[16])
{
	static const char units[] = " KMGTP";
	size_t u = 0;
	while (bytes >= 1024 && u < sizeof(units) - 2) {
		bytes /= 1024;
		u++;
	}
	(void)snprintf(text, 16, u && bytes < 10 ? "%.1f%c" : "%.0f%c", bytes, units[u]);
	if (!u)
		text[strlen(text) - 1] = '\0';
	return text;
}

static void show_file(yajl_val f)
{
	char progress[48], lag[16], rate[16], service[300];
	const char *instance = text_of(f, "instance", "");
	(void)snprintf(service, sizeof(service), "%s%s%s", text_of(f, "service", "?"),
		       *instance ? "/" : "", instance);
	(void)snprintf(progress, sizeof(progress), "%.0f/%.0f", number_of(f, "offset"),
		       number_of(f, "size"));
	printf("%-44s %-20s %23s %7s %7.1fs %7s/s  %-9s %s\n", text_of(f, "path", "?"), service,
	       progress, size_text(number_of(f, "lag_bytes"), lag), number_of(f, "lag_seconds"),
	       size_text(number_of(f, "rate_bytes_per_second"), rate), text_of(f, "state", "?"),
	       text_of(f, "error", ""));
}

static void show(yajl_val root)
{
	printf("host %s  collector %s (%s)\n", text_of(root, "host", "?"),
	       text_of(root, "collector", "?"), text_of(root, "collector_state", "?"));
	const char *problem = text_of(root, "problem", NULL);
	const char *registry = text_of(root, "registry_problem", NULL);
	if (problem)
		printf("problem: %s\n", problem);
	if (registry)
		printf("problem: registry: %s\n", registry);
	if (number_of(root, "polled_dirs") > 0)
		printf("limited: %.0f directories are polled for want of inotify "
		       "watches\n",
		       number_of(root, "polled_dirs"));
	if (number_of(root, "losses") > 0)
		printf("lost: %.0f bytes in %.0f records\n", number_of(root, "lost_bytes"),
		       number_of(root, "losses"));
	if (number_of(root, "skipped_binary_files") > 0)
		printf("not followed: %.0f files that are not text\n",
		       number_of(root, "skipped_binary_files"));
	if (number_of(root, "skipped_old_files") > 0)
		printf("not followed: %.0f files older than the collector keeps\n",
		       number_of(root, "skipped_old_files"));
	printf("%-44s %-20s %23s %7s %8s %9s  %-9s %s\n", "PATH", "SERVICE", "OFFSET/SIZE", "LAG",
	       "BEHIND", "RATE", "STATE", "LAST ERROR");
	const char *path[] = {"files", NULL};
	yajl_val files = yajl_tree_get(root, path, yajl_t_array);
	if (!YAJL_IS_ARRAY(files))
		return;
	for (size_t i = 0; i < files->u.array.len; i++)
		show_file(files->u.array.values[i]);
}

int status_show(const char *address, bool json)
{
	struct buf body = {.max = ANSWER_MAX};
	char why[256] = "out of memory";
	int code = 1;
	if (fetch(address, &body) == 0) {
		const char *text = buf_cstr(&body);
		yajl_val root = text ? yajl_tree_parse(text, why, sizeof(why)) : NULL;
		if (!root) {
			log_error("the answer from %s cannot be read: %s", address, why);
		} else if (json) {
			(void)fwrite(body.ptr, 1, body.len, stdout);
			code = 0;
		} else {
			show(root);
			code = 0;
		}
		yajl_tree_free(root);
	}
	buf_free(&body);
	return code;
}
