/*
 * What a relay process gets to read of the spool: descriptors of one message.
 * Small messages become a memory file, sealed so that no relay can change what
 * another reads; of large ones the part we put in front becomes such a file and
 * the body's own file goes along, open for reading only. Where there are no
 * memory files an unlinked file in the spool's directory takes their place.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "common/log.h"
#include "common/memfile.h"
#include "content.h"

static int
write_all(int fd, struct iovec *iov, int n)
{
	ssize_t	w;

	while (n > 0) {
		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		if ((w = writev(fd, iov, n)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		for (; n > 0 && (size_t)w >= iov->iov_len; iov++, n--)
			w -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

/* A file that holds the prefix, and the rest when that is in memory. */
static int
make_file(const struct spool_content *c)
{
	struct iovec	iov[2];
	int		fd, n = 1;

	iov[0].iov_base = (void *)(uintptr_t)c->prefix;
	iov[0].iov_len = c->prefixlen;
	if (c->fd == -1) {
		iov[1].iov_base = (void *)(uintptr_t)c->body;
		iov[1].iov_len = c->bodylen;
		n = 2;
	}
	if ((fd = memfile_new("msg", "")) == -1)
		return -1;
	if (write_all(fd, iov, n) == -1 || memfile_freeze(fd) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A body file whose octets are not those that were accepted is not sent. */
static enum spool_result
verify(const struct spool_content *c, uint64_t id)
{
	enum spool_result	result = spool_content_verify(c);

	if (result != SPOOL_OK)
		log_err("event=spool-damage place=\"bodies/%016llx\" "
		    "offset=0 text=%s", (unsigned long long)id,
		    log_q(spool_result_name(result)));
	return result;
}

enum spool_result
content_descriptors(struct spool *spool, uint64_t id, uint64_t *size,
    int fd[2], uint8_t **env, size_t *envlen)
{
	struct spool_content	c;
	enum spool_result	result;

	fd[0] = fd[1] = -1;
	*env = NULL;
	if ((result = spool_content_open(spool, id, &c)) != SPOOL_OK)
		return result;
	*size = c.prefixlen + c.bodylen;
	if ((result = verify(&c, id)) != SPOOL_OK) {
		spool_content_close(&c);
		return result;
	}
	if ((fd[0] = make_file(&c)) == -1)
		result = SPOOL_IO;
	else if (c.fd != -1 && (fd[1] = dup(c.fd)) == -1) {
		close(fd[0]);
		fd[0] = -1;
		result = SPOOL_IO;
	}
	if (result == SPOOL_OK && (*env = malloc(c.envlen + 1)) == NULL) {
		close(fd[0]);
		if (fd[1] != -1)
			close(fd[1]);
		fd[0] = fd[1] = -1;
		result = SPOOL_IO;
	}
	if (*env != NULL)
		memcpy(*env, c.env, *envlen = c.envlen);
	spool_content_close(&c);
	return result;
}
