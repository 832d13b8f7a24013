/*
 * Jobs from the queue, in msad-relay: taken over, read, answered, freed.
 *
 * relay.c feeds in what the queue sends; pool.c, client.c and maildir.c work
 * on it. The content's descriptors are read by offset and never further than
 * the octets that the job names. Passwords live here only until a connection
 * has taken them.
 */

#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "common/log.h"
#include "msad/relay/downgrade.h"
#include "msad/relay/job.h"

RB_HEAD(job_tree, job);

static struct job_tree	 jobs = RB_INITIALIZER(&jobs);
static unsigned int	 njobs;
static struct ipc	*queue;

static int
job_cmp(struct job *a, struct job *b)
{
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

RB_PROTOTYPE(job_tree, job, by_sid, job_cmp)
RB_GENERATE(job_tree, job, by_sid, job_cmp)

void
job_set_queue(struct ipc *ch)
{
	queue = ch;
}

struct job *
job_find(uint64_t sid)
{
	struct job	 key;

	key.sid = sid;
	return RB_FIND(job_tree, &jobs, &key);
}

unsigned int
job_count(void)
{
	return njobs;
}

static char *
slice_dup(struct slice s)
{
	return strndup(s.len == 0 ? "" : s.p, s.len);
}

/* Has this text nothing that could end a command line? */
static int
line_safe(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n')
			return 0;
	return 1;
}

/* Which credentials these are, without keeping them. */
static void
job_cred(struct job *job)
{
	unsigned char	 buf[2 * 4096 + 1];
	size_t		 n = strlen(job->user) + 1;

	memcpy(buf, job->user, n);	/* each from one message of 4096 */
	memcpy(buf + n, job->password, job->password_len);
	SHA256(buf, n + job->password_len, job->cred);
	explicit_bzero(buf, sizeof(buf));
}

static int
job_credentials(struct job *job, struct slice user, struct slice password)
{
	if (user.len == 0 && password.len == 0)
		return 0;
	if (user.len > 4096 || password.len > 4096)
		return -1;
	if ((job->user = slice_dup(user)) == NULL ||
	    (job->password = malloc(password.len + 1)) == NULL)
		return -1;
	memcpy(job->password, password.p, password.len);
	job->password[password.len] = '\0';
	job->password_len = password.len;
	job_cred(job);
	return 0;
}

struct job *
job_new(struct ipc_msg *msg)
{
	struct ipc_reader	 r;
	struct slice		 id, relay, from, text, user, password;
	struct mail_params	 params;
	struct job		*job;
	uint64_t		 size, deliver_by;
	uint8_t			 flags;

	ipc_reader(&r, msg);
	id = ipc_get_str(&r);
	relay = ipc_get_str(&r);
	from = ipc_get_str(&r);
	size = ipc_get_u64(&r);
	flags = ipc_get_u8(&r);
	text = ipc_get_str(&r);
	user = ipc_get_str(&r);
	password = ipc_get_bytes(&r);
	deliver_by = ipc_get_u64(&r);
	if (!ipc_done(&r) || !line_safe(from) || size > INT64_MAX ||
	    deliver_by > INT64_MAX ||
	    !params_mail_canonical(text, &params))
		return NULL;
	if ((job = calloc(1, sizeof(*job))) == NULL)
		fatal("out of memory");
	job->sid = msg->sid;
	job->size = size;
	job->deliver_by = deliver_by;
	job->eightbit = (flags & JOB_8BIT) != 0;
	job->utf8header = (flags & JOB_UTF8HEADER) != 0;
	job->fd[0] = ipc_take_fd(msg);
	job->fd[1] = -1;
	if ((job->id = slice_dup(id)) == NULL ||
	    (job->relay = slice_dup(relay)) == NULL ||
	    (job->from = slice_dup(from)) == NULL ||
	    (job->text = slice_dup(text)) == NULL ||
	    job_credentials(job, user, password) == -1)
		fatal("out of memory");
	params_mail_canonical(SLICE_STR(job->text), &job->params);
	njobs++;
	if (RB_INSERT(job_tree, &jobs, job) != NULL) {
		njobs--;
		job->sid = 0;
		job_free(job);
		return NULL;
	}
	return job;
}

int
job_add_body(struct job *job, struct ipc_msg *msg)
{
	if (job->state != JOB_BUILDING || job->fd[1] != -1)
		return -1;
	job->fd[1] = ipc_take_fd(msg);
	return 0;
}

int
job_add_rcpts(struct job *job, struct ipc_msg *msg)
{
	struct ipc_reader	 r;
	struct rcpt_params	 params;
	struct slice		 path, text;
	struct rcpt		*rcpts;
	size_t			 i, n;

	ipc_reader(&r, msg);
	n = ipc_get_u16(&r);
	if (job->state != JOB_BUILDING || job->nrcpts + n > JOB_RCPTS_MAX)
		return -1;
	rcpts = recallocarray(job->rcpts, job->nrcpts, job->nrcpts + n + 1,
	    sizeof(*rcpts));
	if (rcpts == NULL)
		fatal("out of memory");
	job->rcpts = rcpts;
	for (i = 0; i < n; i++) {
		rcpts = &job->rcpts[job->nrcpts];
		rcpts->index = ipc_get_u32(&r);
		path = ipc_get_str(&r);
		text = ipc_get_str(&r);
		if (r.bad || path.len == 0 || !line_safe(path) ||
		    !params_rcpt_canonical(text, &params))
			return -1;
		if ((rcpts->path = slice_dup(path)) == NULL ||
		    (rcpts->text = slice_dup(text)) == NULL)
			fatal("out of memory");
		params_rcpt_canonical(SLICE_STR(rcpts->text), &rcpts->params);
		job->nrcpts++;
	}
	return ipc_done(&r) ? 0 : -1;
}

int
job_complete(struct job *job)
{
	struct stat	 st;

	if (job->state != JOB_BUILDING || job->nrcpts == 0)
		return -1;
	job->state = JOB_WAITING;
	job->len[0] = job->size;
	if (job->fd[1] != -1) {
		/* the header's descriptor ends where the body's begins */
		if (fstat(job->fd[0], &st) == -1 || st.st_size < 0)
			return -1;
		if ((uint64_t)st.st_size < job->size)
			job->len[0] = (uint64_t)st.st_size;
	}
	job->len[1] = job->size - job->len[0];
	job->needs = downgrade_needs(job);
	return 0;
}

void
job_wipe_password(struct job *job)
{
	freezero(job->password, job->password_len + 1);
	job->password = NULL;
	job->password_len = 0;
}

ssize_t
job_read(const struct job *job, uint64_t off, char *buf, size_t size)
{
	size_t	 done = 0, want;
	ssize_t	 n;
	int	 i;

	while (done < size && off < job->size) {
		i = off >= job->len[0];
		want = size - done;
		if (i == 0 && want > job->len[0] - off)
			want = (size_t)(job->len[0] - off);
		if (i == 1 && want > job->size - off)
			want = (size_t)(job->size - off);
		n = pread(job->fd[i], buf + done, want,
		    (off_t)(i == 0 ? off : off - job->len[0]));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = 0;
			return -1;
		}
		done += (size_t)n;
		off += (uint64_t)n;
	}
	return (ssize_t)done;
}

void
job_rcpt_result(struct job *job, struct rcpt *rcpt, const struct result *res,
    const char *host, const char *tls)
{
	if (rcpt->state == RCPT_DONE)
		return;
	rcpt->state = RCPT_DONE;
	log_debug("q=%s event=result to=%s outcome=%d code=%u status=%s "
	    "host=%s text=%s", job->id, log_q(rcpt->path), (int)res->outcome,
	    res->code, res->enhanced, log_q(host), log_q(res->text));
	if (queue == NULL)
		return;
	ipc_start(queue, IPC_RELAY_RESULT, job->sid);
	ipc_put_u32(queue, rcpt->index);
	ipc_put_u8(queue, (uint8_t)res->outcome);
	ipc_put_u16(queue, res->code);
	ipc_put_str(queue, res->enhanced);
	ipc_put_str(queue, host);
	ipc_put_str(queue, res->text);
	ipc_put_str(queue, tls);
	ipc_put_u8(queue, res->flags);
	ipc_send(queue);
}

void
job_all_results(struct job *job, const struct result *res, const char *host,
    const char *tls)
{
	size_t	 i;

	for (i = 0; i < job->nrcpts; i++)
		job_rcpt_result(job, &job->rcpts[i], res, host, tls);
}

void
job_done(struct job *job, int connect_failed)
{
	if (queue != NULL) {
		ipc_start(queue, IPC_RELAY_DONE, job->sid);
		ipc_put_u8(queue, connect_failed ? 1 : 0);
		ipc_send(queue);
	}
	job_free(job);
}

void
job_free(struct job *job)
{
	size_t	 i;

	if (job_find(job->sid) == job) {
		RB_REMOVE(job_tree, &jobs, job);
		njobs--;
	}
	for (i = 0; i < job->nrcpts; i++) {
		free(job->rcpts[i].path);
		free(job->rcpts[i].text);
	}
	free(job->rcpts);
	for (i = 0; i < 2; i++)
		if (job->fd[i] != -1)
			close(job->fd[i]);
	job_wipe_password(job);
	free(job->id);
	free(job->relay);
	free(job->from);
	free(job->text);
	free(job->user);
	free(job);
}

void
job_free_all(void)
{
	struct job	*job, *next;

	RB_FOREACH_SAFE(job, job_tree, &jobs, next)
		job_free(job);
}

void
result_set(struct result *res, enum outcome outcome, const char *enhanced,
    const char *fmt, ...)
{
	va_list	 ap;

	res->outcome = outcome;
	res->code = 0;
	res->flags = 0;
	strlcpy(res->enhanced, enhanced, sizeof(res->enhanced));
	va_start(ap, fmt);
	vsnprintf(res->text, sizeof(res->text), fmt, ap);
	va_end(ap);
}
