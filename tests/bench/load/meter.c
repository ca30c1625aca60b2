/* What a process uses: see meter.h. */
#include "tests/bench/load/meter.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* User and system time as a stat file below /proc has it; 0 when there is none. Returns whether it
 * is of a process or thread that is called `name` (NULL: any). */
static bool read_stat(const char *path, const char *name, double *ret_seconds)
{
	char text[1024];
	FILE *f = fopen(path, "r");
	*ret_seconds = 0;
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	const char *called = strchr(text, '('), *at = strrchr(text, ')');
	unsigned long user = 0, system = 0;
	if (!called || !at)
		return false;
	(void)sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
	*ret_seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	size_t len = (size_t)(at - called) - 1;
	return !name || (strlen(name) == len && strncmp(called + 1, name, len) == 0);
}

double meter_thread_seconds(int pid, const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = pid ? opendir(path) : NULL;
	double seconds = 0;
	for (const struct dirent *e; dir && (e = readdir(dir));) {
		double its;
		int n = snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, e->d_name);
		if (n < (int)sizeof(path) && read_stat(path, name, &its))
			seconds += its;
	}
	if (dir)
		(void)closedir(dir);
	return seconds;
}

double meter_seconds(int pid)
{
	char path[64];
	double seconds = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid)
		(void)read_stat(path, NULL, &seconds);
	return seconds;
}

unsigned long meter_memory_kib(int pid, const char *name)
{
	char path[64], line[256];
	unsigned long kib = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = pid ? fopen(path, "r") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoul(line + strlen(name), NULL, 10);
	if (f)
		(void)fclose(f);
	return kib;
}
