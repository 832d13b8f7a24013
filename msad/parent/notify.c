/*
 * Word to the service manager (systemd's sd_notify(3) protocol): one datagram
 * with NAME=VALUE lines to the socket that $NOTIFY_SOCKET names. By hand, so
 * that msad links no library for it. Runs in msad.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/parent/parent.h"

static struct sockaddr_un	 sun;
static socklen_t		 sunlen;

bool
notify_init(void)
{
	const char	*path = getenv("NOTIFY_SOCKET");
	size_t		 len;

	if (path == NULL || (*path != '/' && *path != '@'))
		return false;
	if ((len = strlen(path)) >= sizeof(sun.sun_path)) {
		log_warn("event=notify error=\"NOTIFY_SOCKET is too long\"");
		return false;
	}
	sun.sun_family = AF_UNIX;
	memcpy(sun.sun_path, path, len);
	sunlen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (*path == '@')
		sun.sun_path[0] = '\0';	/* the abstract name space */
	else
		sunlen++;
	unsetenv("NOTIFY_SOCKET");
	return true;
}

void
notify_send(const char *state)
{
	int	 fd;

	if (sunlen == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&sun, sunlen) == -1)
		log_warn("event=notify error=%s", log_q(strerror(errno)));
	if (fd != -1)
		close(fd);
}
