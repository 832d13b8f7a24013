# An SMTP client that says exactly what it is told, octet for octet.
package Msad::Smtp;
use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::SSL;
use MIME::Base64;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

sub connect {
	my ($class, $port, $timeout, $host, $local) = @_;
	my $s = IO::Socket::IP->new(PeerHost => $host // '127.0.0.1',
	    PeerPort => $port, Timeout => $timeout // 20,
	    $local ? (LocalHost => $local) : ()) or return undef;
	$s->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
	$s->blocking(0);
	return bless { sock => $s, in => '', timeout => $timeout // 20 }, $class;
}

sub start_tls {
	my ($self, %o) = @_;
	$self->{sock}->blocking(1);
	my $s = IO::Socket::SSL->start_SSL($self->{sock},
	    SSL_verify_mode => SSL_VERIFY_PEER, SSL_verifycn_scheme => 'smtp',
	    SSL_verifycn_name => 'localhost', SSL_hostname => 'localhost',
	    Timeout => $self->{timeout}, %o);
	$self->{ssl_error} = $SSL_ERROR;
	return undef unless $s;
	$s->blocking(0);
	$self->{sock} = $s;
	$self->{tls} = 1;
	return $self;
}

# Read what is there, waiting up to the time end. False: end of file or time.
sub fill {
	my ($self, $end) = @_;
	for (;;) {
		my $n = sysread($self->{sock}, my $buf, 65536);
		if ($n) {
			$self->{in} .= $buf;
			return 1;
		}
		if (defined $n) {
			$self->{eof} = 1;
			return 0;
		}
		if (!$!{EAGAIN} && !$!{EWOULDBLOCK} && !$!{EINTR}) {
			$self->{eof} = 1;
			return 0;
		}
		my $left = $end - time;
		return 0 if $left <= 0;
		my $sel = IO::Select->new($self->{sock});
		if ($self->{tls} && $SSL_ERROR == SSL_WANT_WRITE) {
			$sel->can_write($left);
		} else {
			$sel->can_read($left);
		}
	}
}

sub send {
	my ($self, $octets) = @_;
	my $end = time + $self->{timeout};
	my $off = 0;
	while ($off < length $octets) {
		my $n = syswrite($self->{sock}, $octets,
		    length($octets) - $off > 16384 ? 16384 :
		    length($octets) - $off, $off);
		if ($n) {
			$off += $n;
			next;
		}
		return 0 if !$!{EAGAIN} && !$!{EWOULDBLOCK} && !$!{EINTR};
		return 0 if time > $end;
		my $sel = IO::Select->new($self->{sock});
		if ($self->{tls} && $SSL_ERROR == SSL_WANT_READ) {
			$sel->can_read($end - time);
		} else {
			$sel->can_write($end - time);
		}
	}
	return 1;
}

# One line with its CRLF, or undef.
sub line {
	my ($self, $timeout) = @_;
	my $end = time + ($timeout // $self->{timeout});
	for (;;) {
		return $1 if $self->{in} =~ s/\A(.*?\n)//s;
		return undef unless $self->fill($end);
	}
}

# One reply: { code, lines, text (all of it), enh }. Code 0: none came.
sub reply {
	my ($self, $timeout) = @_;
	my @lines;
	for (;;) {
		my $l = $self->line($timeout);
		if (!defined $l) {
			return { code => 0, lines => \@lines, enh => '',
			    text => $self->{eof} ? '(closed)' : '(no reply)' };
		}
		push @lines, $l;
		last unless $l =~ /\A\d\d\d-/;
	}
	my ($code, $enh) = $lines[-1] =~ /\A(\d\d\d)(?: (\d\.\d{1,3}\.\d{1,3})(?= |\r))?/;
	return { code => $code // 0, enh => $enh // '', lines => \@lines,
	    text => join('', @lines) };
}

sub greeting {
	my ($self, $timeout) = @_;
	my $r = $self->reply($timeout);
	$self->{banner} = $r;
	return $r->{code} == 220 ? $r : undef;
}

sub cmd {
	my ($self, $line) = @_;
	$self->send("$line\r\n");
	return $self->reply;
}

# Nothing but end of file comes within the time.
sub closed {
	my ($self, $timeout) = @_;
	my $end = time + ($timeout // $self->{timeout});
	1 while $self->{in} eq '' && $self->fill($end);
	return $self->{eof} && $self->{in} eq '';
}

sub auth_plain {
	my ($self, $user, $password, $authzid) = @_;
	return $self->cmd('AUTH PLAIN ' .
	    encode_base64(($authzid // '') . "\0$user\0$password", ''));
}

sub auth_login {
	my ($self, $user, $password) = @_;
	my $r = $self->cmd('AUTH LOGIN');
	return $r if $r->{code} != 334;
	$r = $self->cmd(encode_base64($user, ''));
	return $r if $r->{code} != 334;
	return $self->cmd(encode_base64($password, ''));
}

# MAIL, RCPT..., DATA, the octets as they are (lines with CRLF, dots stuffed
# here) and the final dot. The last reply; {rcpts} has those to RCPT.
sub submit {
	my ($self, $from, $rcpts, $message, %o) = @_;
	my $r = $self->cmd("MAIL FROM:<$from>" . ($o{mail} // ''));
	return $r if $r->{code} != 250;
	my @rcpts;
	for my $to (ref $rcpts ? @$rcpts : $rcpts) {
		push @rcpts, $self->cmd("RCPT TO:<$to>");
	}
	$r = $self->cmd('DATA');
	if ($r->{code} == 354) {
		$message =~ s/^\./../mg;
		$message .= "\r\n" unless $message =~ /\r\n\z/ || $message eq '';
		$self->send($message . ".\r\n");
		$r = $self->reply($o{timeout});
	}
	$r->{rcpts} = \@rcpts;
	$r->{id} = $1 if $r->{code} == 250 && $r->{text} =~ /queued as ([0-9a-f]+)/i;
	return $r;
}

sub close {
	my ($self) = @_;
	if ($self->{tls}) {
		$self->{sock}->close(SSL_fast_shutdown => 1);
	} else {
		$self->{sock}->close;
	}
}

sub quit {
	my ($self) = @_;
	my $r = $self->cmd('QUIT');
	$self->close;
	return $r;
}

1;
