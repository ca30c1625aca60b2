/* `haul-agent status`: asks the running agent and shows its account to a person. Called by main. */
#include "agent/status.h"

#include "common/json.h"
#include "common/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

enum {
	ANSWER_MAX = 256 * 1024 * 1024,
	TIMEOUT_S = 10,
	LAST_LOSSES = 3, /* are shown in full */
	PATH_WIDTH = 80, /* longer paths push their row to the right */
};

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct buf *b = user;
	return buf_add(b, bytes, size * n) < 0 ? 0 : size * n;
}

static int fetch(const char *address, bool quiet, struct buf *out)
{
	char url[256], error[CURL_ERROR_SIZE] = "";
	if (!*address) {
		if (!quiet)
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
	if (quiet)
		return -EIO;
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

/* 45 s, 12 min, 3.5 h: for a sentence. */
static const char *duration_text(double s, char text[16])
{
	if (s < 120)
		(void)snprintf(text, 16, "%.0f s", s);
	else if (s < 7200)
		(void)snprintf(text, 16, "%.0f min", s / 60);
	else
		(void)snprintf(text, 16, "%.1f h", s / 3600);
	return text;
}

static bool is_true(yajl_val object, const char *key)
{
	const char *path[] = {key, NULL};
	return YAJL_IS_TRUE(yajl_tree_get(object, path, yajl_t_any));
}

static yajl_val array_of(yajl_val object, const char *key)
{
	const char *path[] = {key, NULL};
	yajl_val v = yajl_tree_get(object, path, yajl_t_array);
	return YAJL_IS_ARRAY(v) ? v : NULL;
}

/* --- the first lines: what one asks at night --- */

static void show_collector(yajl_val root)
{
	const char *problem = text_of(root, "problem", NULL),
		   *ack = text_of(root, "last_ack", NULL);
	printf("collector  %s: ", text_of(root, "collector", "?"));
	if (problem)
		printf("NOT TAKING since %s: %s\n", text_of(root, "problem_since", "?"), problem);
	else if (is_true(root, "collector_up"))
		printf("takes batches%s%s\n", ack ? ", the last one at " : "", ack ? ack : "");
	else
		printf("not yet asked (%s)\n", text_of(root, "collector_state", "?"));
}

static void show_lag(yajl_val root)
{
	char bytes[16], rate[16], age[16], left[16];
	double lag = number_of(root, "lag_bytes"), speed = number_of(root, "rate_bytes_per_second");
	const char *worst = text_of(root, "most_behind", NULL);
	size_text(lag, bytes);
	size_text(speed, rate);
	duration_text(number_of(root, "lag_seconds"), age);
	if (is_true(root, "keeping_up")) {
		printf("behind     keeping up: %s to send, %s/s\n", bytes, rate);
		return;
	}
	printf("behind     %s to send, %s/s", bytes, rate);
	if (speed >= 1 && lag > 0)
		printf(", done in %s at this rate", duration_text(lag / speed, left));
	if (worst)
		printf("; longest: %s, %s", worst, age);
	printf("\n");
}

static void show_losses(yajl_val root)
{
	const char *path[] = {"lost_by_cause", NULL};
	yajl_val causes = yajl_tree_get(root, path, yajl_t_object);
	char bytes[16];
	if (number_of(root, "losses") == 0) {
		printf("lost       nothing since the start\n");
		return;
	}
	printf("lost       %s in %.0f records (", size_text(number_of(root, "lost_bytes"), bytes),
	       number_of(root, "losses"));
	for (size_t i = 0; YAJL_IS_OBJECT(causes) && i < causes->u.object.len; i++)
		printf("%s%s %s", i ? ", " : "", causes->u.object.keys[i],
		       size_text(number_of(causes->u.object.values[i], "bytes"), bytes));
	printf(")\n");
	yajl_val last = array_of(root, "last_losses");
	for (size_t i = last && last->u.array.len > LAST_LOSSES ? last->u.array.len - LAST_LOSSES
								: 0;
	     last && i < last->u.array.len; i++) {
		yajl_val l = last->u.array.values[i];
		printf("           %s %s bytes %.0f to %.0f: %s\n", text_of(l, "time", "?"),
		       text_of(l, "path", "?"), number_of(l, "from"), number_of(l, "to"),
		       text_of(l, "cause", "?"));
	}
}

static void show_files_sum(yajl_val root)
{
	char held[16], most[16];
	printf("files      %.0f followed", number_of(root, "files_followed"));
	if (number_of(root, "files_failing") > 0)
		printf(", %.0f CANNOT BE READ", number_of(root, "files_failing"));
	if (number_of(root, "deleted_open_bytes") > 0)
		printf(", deleted ones held open take %s of at most %s",
		       size_text(number_of(root, "deleted_open_bytes"), held),
		       size_text(number_of(root, "max_deleted_bytes"), most));
	if (number_of(root, "skipped_binary_files") > 0)
		printf(", %.0f not text", number_of(root, "skipped_binary_files"));
	if (number_of(root, "skipped_old_files") > 0)
		printf(", %.0f older than the collector keeps",
		       number_of(root, "skipped_old_files"));
	printf("\n");
	if (number_of(root, "polled_dirs") > 0)
		printf("polled     %.0f directories, each second: inotify does not serve there\n",
		       number_of(root, "polled_dirs"));
	if (number_of(root, "remote_hangs_seconds") > 0)
		printf("remote     a network file system has NOT ANSWERED for %s; its files wait\n",
		       duration_text(number_of(root, "remote_hangs_seconds"), held));
	if (text_of(root, "registry_problem", NULL))
		printf("registry   %s\n", text_of(root, "registry_problem", ""));
}

static void show_journals(yajl_val root)
{
	yajl_val journals = array_of(root, "journals");
	for (size_t i = 0; journals && i < journals->u.array.len; i++) {
		yajl_val j = journals->u.array.values[i];
		const char *error = text_of(j, "error", NULL);
		printf("journal    %s: ", text_of(j, "path", "?"));
		if (error)
			printf("CANNOT BE READ: %s\n", error);
		else
			printf("%.0f services\n", number_of(j, "streams"));
	}
}

/* --- a row a file --- */

static void show_file(yajl_val f, int width)
{
	char progress[48], lag[16], rate[16], lost[48] = "", service[300];
	const char *instance = text_of(f, "instance", ""), *error = text_of(f, "error", NULL);
	(void)snprintf(service, sizeof(service), "%s%s%s", text_of(f, "service", "?"),
		       *instance ? "/" : "", instance);
	(void)snprintf(progress, sizeof(progress), "%.0f/%.0f", number_of(f, "offset"),
		       number_of(f, "size"));
	if (number_of(f, "lost_bytes") > 0)
		(void)snprintf(lost, sizeof(lost), "lost %s (%s)%s",
			       size_text(number_of(f, "lost_bytes"), lag),
			       text_of(f, "lost_cause", "?"), error ? "; " : "");
	printf("%-*s %-20s %23s %7s %7.1fs %7s/s  %-9s %s%s\n", width, text_of(f, "path", "?"),
	       service, progress, size_text(number_of(f, "lag_bytes"), lag),
	       number_of(f, "lag_seconds"), size_text(number_of(f, "rate_bytes_per_second"), rate),
	       text_of(f, "state", "?"), lost, error ? error : "");
}

/* Those that wait longest first; else as they were found. */
static int by_lag(const void *a, const void *b)
{
	const yajl_val *x = a, *y = b;
	double lag_x = number_of(*x, "lag_seconds"), lag_y = number_of(*y, "lag_seconds");
	if (lag_x == lag_y)
		return strcmp(text_of(*x, "path", ""), text_of(*y, "path", ""));
	return lag_x > lag_y ? -1 : 1;
}

static void show_files(yajl_val root)
{
	yajl_val files = array_of(root, "files");
	int width = 4;
	if (!files)
		return;
	if (files->u.array.len)
		qsort(files->u.array.values, files->u.array.len, sizeof(yajl_val), by_lag);
	for (size_t i = 0; i < files->u.array.len; i++) {
		size_t len = strlen(text_of(files->u.array.values[i], "path", "?"));
		if (len <= PATH_WIDTH && (int)len > width)
			width = (int)len;
	}
	printf("\n%-*s %-20s %23s %7s %8s %9s  %-9s %s\n", width, "PATH", "SERVICE", "OFFSET/SIZE",
	       "LAG", "BEHIND", "RATE", "STATE", "LOST, LAST ERROR");
	for (size_t i = 0; i < files->u.array.len; i++)
		show_file(files->u.array.values[i], width);
}

static void show(yajl_val root)
{
	char up[16];
	printf("host       %s, haul-agent %s, running for %s\n", text_of(root, "host", "?"),
	       text_of(root, "version", "?"), duration_text(number_of(root, "uptime_seconds"), up));
	show_collector(root);
	show_lag(root);
	show_files_sum(root);
	show_journals(root);
	show_losses(root);
	show_files(root);
}

int status_show(const char *address, bool json)
{
	struct buf body = {.max = ANSWER_MAX};
	char why[256] = "out of memory";
	int code = 1;
	if (fetch(address, false, &body) == 0) {
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

/* --- explain --- */

static yajl_val row_of(yajl_val root, const char *path)
{
	yajl_val files = array_of(root, "files");
	for (size_t i = 0; files && i < files->u.array.len; i++)
		if (strcmp(text_of(files->u.array.values[i], "path", ""), path) == 0)
			return files->u.array.values[i];
	return NULL;
}

static int explain_row(yajl_val row, struct buf *out)
{
	const char *state = text_of(row, "state", "?"), *error = text_of(row, "error", NULL);
	if (strcmp(state, "refused") == 0)
		return buf_printf(out, "The running agent leaves it alone: it is %s.\n",
				  error ? error : "not to be followed");
	if (strcmp(state, "copy") == 0)
		return buf_printf(out,
				  "The running agent holds it back: it takes it for a copy of a "
				  "file that it reads already.\n");
	if (strcmp(state, "stray") == 0)
		return buf_printf(out,
				  "The running agent holds it back until it knows whether it is a "
				  "copy of a file that it reads already.\n");
	if (strcmp(state, "new") == 0)
		return buf_printf(out,
				  "The running agent has it, and waits for the collector to say "
				  "what it knows of it.\n");
	return buf_printf(out, "The running agent has sent %.0f of its %.0f bytes (%s)%s%s.\n",
			  number_of(row, "offset"), number_of(row, "size"), state,
			  error ? "; the last error was: " : "", error ? error : "");
}

int status_explain(const char *address, const char *path, struct buf *out)
{
	struct buf body = {.max = ANSWER_MAX};
	char why[256];
	int r = 0;
	if (fetch(address, true, &body) == 0) {
		const char *text = buf_cstr(&body);
		yajl_val root = text ? yajl_tree_parse(text, why, sizeof(why)) : NULL;
		yajl_val row = root ? row_of(root, path) : NULL;
		if (row)
			r = explain_row(row, out);
		yajl_tree_free(root);
	}
	buf_free(&body);
	return r;
}
