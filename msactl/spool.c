/* links: msad/queue/envelope.c */
/*
 * msactl spool: look at a spool's files (msad-spool(5)) without msad.
 *
 * "check" reads every record and every body file and tells what is damaged;
 * "dump" prints the records. Runs with the caller's rights and writes nothing.
 * What it reads may be anything; it goes to the terminal escaped.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "config.h"
#include "msactl/output.h"
#include "msactl/session.h"
#include "msactl/spool.h"
#include "msactl/spool_files.h"
#include "msactl/spool_state.h"
#include "msad/queue/envelope.h"

/* A message record or a removal: the newest message record counts. */
struct found {
	uint64_t	 id;
	uint64_t	 bodylen;
	uint32_t	 bodycrc;
	uint8_t		 type;
	uint8_t		 bodyfile;
};

static struct {
	bool		 json;
	uint64_t	 id;		/* dump: this only; 0: all */
	struct found	*found;
	size_t		 n, alloc;
	uint64_t	 bad, shown;
} s;

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: msactl spool check [-j] path\n"
	    "       msactl spool dump [-j] path [id]\n");
	exit(EXIT_USAGE);
}

static void
print(json_t *o)
{
	if (o == NULL)
		errx(EXIT_ERROR, "out of memory");
	output_object(o);
	json_decref(o);
}

/* --- damage --- */

static void
on_bad(void *arg, const char *place, uint64_t off, const char *text)
{
	(void)arg;
	s.bad++;
	if (s.json)
		print(json_pack("{sssIss}", "place", place, "offset",
		    (json_int_t)off, "error", text));
	else
		printf("%s:%" PRIu64 ": %s\n", place, off, text);
}

static void
note(void *arg, const struct spool_segment *seg, const struct record *r,
    const uint8_t *payload, uint64_t off)
{
	struct found	*p;
	struct envelope	 e;
	char		 place[32];
	size_t		 n;

	(void)arg;
	if (r->type != RECORD_MESSAGE && r->type != RECORD_REMOVE)
		return;
	if (r->type == RECORD_MESSAGE &&
	    envelope_decode(payload, r->envlen, &e) == -1) {
		snprintf(place, sizeof(place), "log/%s", seg->name);
		on_bad(NULL, place, off, "envelope cannot be read");
	}
	if (s.n == s.alloc) {
		n = s.alloc + s.alloc / 2 + 1024;
		if ((p = reallocarray(s.found, n, sizeof(*p))) == NULL)
			errx(EXIT_ERROR, "out of memory");
		s.found = p;
		s.alloc = n;
	}
	s.found[s.n++] = (struct found){ r->id, r->bodylen, r->bodycrc,
	    r->type, (r->flags & RECORD_BODY_FILE) != 0 };
}

static int
by_id(const void *a, const void *b)
{
	const struct found	*x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->type < y->type ? -1 : x->type > y->type;
}

/* What is wrong with the body file, NULL: nothing. */
static const char *
check_body(const struct spool_files *f, const struct found *m,
    const char *place)
{
	static uint8_t	 buf[64 * 1024];
	uint64_t	 len = 0;
	uint32_t	 crc = 0;
	ssize_t		 n;
	int		 fd;

	fd = openat(f->dir, place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return strerror(errno);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		crc = crc32c(crc, buf, (size_t)n);
		len += (uint64_t)n;
	}
	close(fd);
	if (n == -1)
		return strerror(errno);
	return len != m->bodylen ? "body of another length" :
	    crc != m->bodycrc ? "body damaged" : NULL;
}

/* The messages that are not removed, and their body files. */
static uint64_t
check_messages(const struct spool_files *f)
{
	const struct found	*m;
	const char		*why;
	char			 place[32];
	uint64_t		 live = 0;
	size_t			 i;

	if (s.n > 1)
		qsort(s.found, s.n, sizeof(s.found[0]), by_id);
	for (i = 0; i < s.n; i++) {
		m = &s.found[i];
		if (i + 1 < s.n && s.found[i + 1].id == m->id)
			continue;	/* a copy, or removed */
		if (m->type == RECORD_REMOVE)
			continue;
		live++;
		snprintf(place, sizeof(place), "bodies/%016" PRIx64, m->id);
		if (m->bodyfile && (why = check_body(f, m, place)) != NULL)
			on_bad(NULL, place, 0, why);
	}
	return live;
}

static int
check(struct spool_files *f, struct spool_visit *v)
{
	uint64_t	live;

	v->record = note;
	spool_files_walk(f, v);
	live = check_messages(f);
	free(s.found);
	if (s.json)
		print(json_pack("{sIsIsIsI}", "segments", (json_int_t)f->n,
		    "records", (json_int_t)v->records, "messages",
		    (json_int_t)live, "damaged", (json_int_t)s.bad));
	else
		printf("%zu segments, %" PRIu64 " records, %" PRIu64
		    " messages, %" PRIu64 " damaged\n", f->n, v->records,
		    live, s.bad);
	return s.bad > 0 ? EXIT_ERROR : EXIT_FINE;
}

/* --- dump --- */

static void
put_envelope(json_t *o, const struct record *r, const uint8_t *payload)
{
	struct envelope	 e;
	struct slice	 addr, params;
	json_t		*rcpts;

	json_object_set_new(o, "size", json_integer((json_int_t)(r->prefixlen +
	    r->bodylen)));
	if (r->flags & RECORD_BODY_FILE)
		json_object_set_new(o, "body", json_sprintf("bodies/%016"
		    PRIx64, r->id));
	if (envelope_decode(payload, r->envlen, &e) == -1) {
		json_object_set_new(o, "error",
		    json_string("envelope cannot be read"));
		return;
	}
	json_object_set_new(o, "arrival", json_integer((json_int_t)e.arrival));
	if (e.not_before != 0)
		json_object_set_new(o, "not-before",
		    json_integer((json_int_t)e.not_before));
	json_object_set_new(o, "user", spool_text(e.user));
	json_object_set_new(o, "tenant", spool_text(e.tenant));
	json_object_set_new(o, "relay", spool_text(e.relay));
	json_object_set_new(o, "msgid", spool_text(e.msgid));
	json_object_set_new(o, "from", spool_text(e.sender));
	rcpts = json_array();
	while (envelope_rcpt(&e, &addr, &params))
		json_array_append_new(rcpts, spool_text(addr));
	json_object_set_new(o, "to", rcpts);
}

static void	print_text(json_t *, const char *between);

static void
print_value(json_t *v)
{
	json_t	*e;
	size_t	 i;

	if (json_is_integer(v))
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_string(v))
		output_text(stdout, json_string_value(v));
	else if (json_is_object(v))
		print_text(v, ";");
	else
		json_array_foreach(v, i, e) {
			printf("%s", i > 0 ? "," : "");
			print_value(e);
		}
}

/* An object as "name=value ..." */
static void
print_text(json_t *o, const char *between)
{
	const char	*key;
	json_t		*v;
	bool		 first = true;

	json_object_foreach(o, key, v) {
		printf("%s%s=", first ? "" : between, key);
		first = false;
		print_value(v);
	}
}

static void
dump_record(void *arg, const struct spool_segment *seg,
    const struct record *r, const uint8_t *payload, uint64_t off)
{
	static const char *const	types[] = { [RECORD_MESSAGE] =
		"message", [RECORD_STATE] = "state", [RECORD_REMOVE] =
		"remove" };
	json_t				*o;

	(void)arg;
	if (s.id != 0 && r->id != s.id)
		return;
	s.shown++;
	o = json_pack("{sssIssso}", "segment", seg->name, "offset",
	    (json_int_t)off, "type", types[r->type], "id",
	    json_sprintf("%" PRIx64, r->id));
	if (o == NULL)
		errx(EXIT_ERROR, "out of memory");
	if (r->type == RECORD_MESSAGE)
		put_envelope(o, r, payload);
	else if (r->type == RECORD_STATE)
		spool_state_put(o, r, payload);
	if (s.json) {
		output_object(o);
	} else {
		print_text(o, " ");
		printf("\n");
	}
	json_decref(o);
}

static int
dump(struct spool_files *f, struct spool_visit *v)
{
	v->record = dump_record;
	spool_files_walk(f, v);
	if (s.bad > 0)
		return EXIT_ERROR;
	return s.id != 0 && s.shown == 0 ? EXIT_NO_MATCH : EXIT_FINE;
}

static void
read_id(const char *word)
{
	char	*end;

	errno = 0;
	s.id = strtoull(word, &end, 16);
	if (errno != 0 || *end != '\0' || s.id == 0 || *word == '-')
		errx(EXIT_USAGE, "not an id: %s", word);
}

int
spool_main(int argc, char **argv)
{
	struct spool_visit	 v = { .bad = on_bad };
	struct spool_files	 f;
	const char		*verb, *path;
	bool			 dumps;
	int			 ch, code;

	if (argc < 2)
		usage();
	verb = argv[1];
	dumps = strcmp(verb, "dump") == 0;
	if (!dumps && strcmp(verb, "check") != 0)
		usage();
	argc--;
	argv++;
	while ((ch = getopt(argc, argv, "j")) != -1) {
		if (ch != 'j')
			usage();
		s.json = true;
	}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > (dumps ? 2 : 1))
		usage();
	path = argv[0];
	if (argc > 1)
		read_id(argv[1]);
	if (spool_files_open(&f, path, &v) == -1)
		err(EXIT_ERROR, "%s", path);
	code = dumps ? dump(&f, &v) : check(&f, &v);
	spool_files_close(&f);
	if (fflush(stdout) == EOF) {
		warn("standard output");
		code = EXIT_ERROR;
	}
	return code;
}
