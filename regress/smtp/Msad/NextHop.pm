# A next hop that does what a test tells it: a forked SMTP server that keeps
# each transaction as a line of JSON.
#
#   port     default: a free one
#   tls      '' | 'starttls' | 'tls', with cert and key
#   auth     { user => password }: AUTH is needed before MAIL
#   ehlo     list of further keywords ('DSN' for one)
#   caps     instead of those that there are by default
#   on       { COMMAND => reply or sub (argument, session) -> reply }
#            COMMAND: greeting EHLO STARTTLS MAIL RCPT DATA EOD QUIT
#            a reply without CRLF gets one; '' closes; undef: the default; a
#            sub may hang(session): it returns when the client has gone
package Msad::NextHop;
use strict;
use warnings;

use Fcntl qw(:flock);
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP;
use MIME::Base64;
use POSIX ();

sub new {
	my ($class, %o) = @_;
	my $self = bless { host => '127.0.0.1', on => {}, tls => '', %o }, $class;
	if (!$self->{port}) {
		my $s = IO::Socket::INET->new(Listen => 1,
		    LocalAddr => $self->{host}, LocalPort => 0) or die;
		$self->{port} = $s->sockport;
		close($s);
	}
	$self->{record} = "$self->{dir}/nexthop.$self->{port}";
	$self->{cert} //= "$self->{dir}/server.pem";
	$self->{key} //= "$self->{dir}/server.key";
	$self->start unless $self->{down};
	return $self;
}

sub start {
	my ($self) = @_;
	my $listen = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1,
	    LocalAddr => $self->{host}, LocalPort => $self->{port})
	    or die "next hop port $self->{port}: $!";
	my $pid = fork() // die;
	if ($pid) {
		close($listen);
		$self->{pid} = $pid;
		return $self;
	}
	setpgrp(0, 0);
	local $SIG{CHLD} = 'IGNORE';
	$SIG{TERM} = $SIG{INT} = 'DEFAULT';
	for (;;) {
		my $s = $listen->accept or next;
		my $child = fork();
		if (defined $child && $child == 0) {
			close($listen);
			eval { $self->serve($s) };
			POSIX::_exit(0);
		}
		close($s);
	}
}

sub stop {
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	kill('KILL', -$pid);
	waitpid($pid, 0);
}

# Transactions so far: { helo, tls, user, from, mail, rcpts, rcpt_args, data,
# session }; mail and rcpt_args are what stood behind the verbs.
sub transactions {
	my ($self) = @_;
	my @all;
	open(my $f, '<', $self->{record}) or return @all;
	while (my $l = <$f>) {
		last unless $l =~ /\n\z/;
		my $t = decode_json($l);
		$t->{data} = decode_base64($t->{data});
		push @all, $t;
	}
	return @all;
}

# Sessions opened so far.
sub sessions {
	my ($self) = @_;
	return -s "$self->{record}.sessions" // 0;
}

sub note {
	my ($path, $text) = @_;
	open(my $f, '>>', $path) or return;
	flock($f, LOCK_EX);
	print $f $text;
	close($f);
}

sub secure {
	my ($self, $s) = @_;
	return IO::Socket::SSL->start_SSL($s, SSL_server => 1,
	    SSL_cert_file => $self->{cert}, SSL_key_file => $self->{key});
}

# Say the reply for a command; false: close.
sub say {
	my ($self, $t, $name, $arg, $default) = @_;
	my $r = $self->{on}{$name};
	$r = $r->($arg, $t) if ref $r;
	$r //= $default;
	return 0 if $r eq '';
	$r .= "\r\n" unless $r =~ /\n\z/;
	my $off = 0;
	while ($off < length $r) {
		my $n = syswrite($t->{sock}, $r, length($r) - $off, $off)
		    or return 0;
		$off += $n;
	}
	$t->{last} = substr($r, 0, 1);
	return 1;
}

# Say nothing any more, until the client goes away.
sub hang {
	my ($t) = @_;
	1 while sysread($t->{sock}, my $rest, 65536);
	return '';
}

sub line {
	my ($t) = @_;
	for (;;) {
		return $1 if $t->{in} =~ s/\A(.*?\n)//s;
		sysread($t->{sock}, $t->{in}, 65536, length $t->{in}) or return undef;
	}
}

sub data {
	my ($self, $t) = @_;
	my $data = '';
	for (;;) {
		my $l = line($t) // return 0;
		last if $l eq ".\r\n";
		$l =~ s/\A\.//;
		$data .= $l;
	}
	$t->{tx}{data} = $data;
	my $ok = $self->say($t, 'EOD', $data, '250 2.0.0 taken');
	note($self->{record}, encode_json({ %{ $t->{tx} }, helo => $t->{helo},
	    tls => $t->{tls} ? 1 : 0, user => $t->{user}, session => $$,
	    accepted => $t->{last} eq '2' ? 1 : 0,
	    data => encode_base64($data, '') }) . "\n") if $ok;
	$t->{tx} = undef;
	return $ok;
}

sub serve {
	my ($self, $s) = @_;
	my $t = { sock => $s, in => '', user => '', last => '' };
	note("$self->{record}.sessions", '.');
	if ($self->{tls} eq 'tls') {
		$t->{sock} = $self->secure($s) or return;
		$t->{tls} = 1;
	}
	$self->say($t, 'greeting', '', '220 next.example ESMTP') or return;
	while (defined(my $l = line($t))) {
		$l =~ s/\r?\n\z//;
		my ($verb, $arg) = $l =~ /\A(\w+)\s*(.*)\z/s or next;
		my $m = 'do_' . uc $verb;
		note("$self->{record}.commands", "$l\n");
		if (my $code = $self->can($m)) {
			$code->($self, $t, $arg) or return;
		} else {
			$self->say($t, uc $verb, $arg, '500 5.5.2 what?') or return;
		}
	}
}

sub do_HELO {
	my ($self, $t, $arg) = @_;
	$t->{helo} = $arg;
	return $self->say($t, 'HELO', $arg, '250 next.example');
}

sub do_EHLO {
	my ($self, $t, $arg) = @_;
	my @k = ('next.example', @{ $self->{caps} // ['PIPELINING', '8BITMIME',
	    'ENHANCEDSTATUSCODES'] }, @{ $self->{ehlo} // [] });
	push @k, 'STARTTLS' if $self->{tls} eq 'starttls' && !$t->{tls};
	push @k, 'AUTH ' . ($self->{mechs} // 'PLAIN LOGIN') if $self->{auth};
	$t->{helo} = $arg;
	my $last = pop @k;
	return $self->say($t, 'EHLO', $arg,
	    join('', map { "250-$_\r\n" } @k) . "250 $last");
}

sub do_STARTTLS {
	my ($self, $t, $arg) = @_;
	$self->say($t, 'STARTTLS', $arg, $self->{tls} eq 'starttls' ?
	    '220 2.0.0 go' : '502 5.5.1 no') or return 0;
	return 1 if $t->{last} ne '2';
	$t->{in} = '';
	$t->{sock} = $self->secure($t->{sock}) or return 0;
	$t->{tls} = 1;
	return 1;
}

sub auth_verdict {
	my ($self, $t, $user, $password) = @_;
	if (($self->{auth}{$user} // "\0") eq $password) {
		$t->{user} = $user;
		return $self->say($t, 'AUTHED', $user, '235 2.7.0 ok');
	}
	return $self->say($t, 'AUTHFAIL', $user, '535 5.7.8 no');
}

sub do_AUTH {
	my ($self, $t, $arg) = @_;
	my ($mech, $initial) = split(/ /, $arg);
	if (uc $mech eq 'PLAIN') {
		if (!defined $initial) {
			syswrite($t->{sock}, "334 \r\n");
			$initial = line($t) // return 0;
		}
		my (undef, $user, $password) = split(/\0/, decode_base64($initial));
		return $self->auth_verdict($t, $user // '', $password // '');
	}
	my @w;
	for my $prompt ('Username:', 'Password:') {
		syswrite($t->{sock}, '334 ' . encode_base64($prompt, '') . "\r\n");
		push @w, decode_base64(line($t) // return 0);
	}
	return $self->auth_verdict($t, @w);
}

sub do_MAIL {
	my ($self, $t, $arg) = @_;
	if ($self->{auth} && $t->{user} eq '') {
		return $self->say($t, 'NOAUTH', $arg, '530 5.7.0 log in');
	}
	$self->say($t, 'MAIL', $arg, '250 2.1.0 ok') or return 0;
	my ($from) = $arg =~ /<(.*?)>/;
	$t->{tx} = { from => $from // $arg, mail => $arg, rcpts => [] }
	    if $t->{last} eq '2';
	return 1;
}

sub do_RCPT {
	my ($self, $t, $arg) = @_;
	return $self->say($t, 'NOMAIL', $arg, '503 5.5.1 MAIL first') unless $t->{tx};
	$self->say($t, 'RCPT', $arg, '250 2.1.5 ok') or return 0;
	my ($to) = $arg =~ /<(.*?)>/;
	return 1 if $t->{last} ne '2';
	push @{ $t->{tx}{rcpts} }, $to // $arg;
	push @{ $t->{tx}{rcpt_args} }, $arg;
	return 1;
}

sub do_DATA {
	my ($self, $t, $arg) = @_;
	if (!$t->{tx} || !@{ $t->{tx}{rcpts} }) {
		return $self->say($t, 'NORCPT', $arg, '554 5.5.1 no recipients');
	}
	$self->say($t, 'DATA', $arg, '354 go on') or return 0;
	return $t->{last} eq '3' ? $self->data($t) : 1;
}

sub do_RSET {
	my ($self, $t, $arg) = @_;
	$t->{tx} = undef;
	return $self->say($t, 'RSET', $arg, '250 2.0.0 ok');
}

sub do_NOOP {
	my ($self, $t, $arg) = @_;
	return $self->say($t, 'NOOP', $arg, '250 2.0.0 ok');
}

sub do_QUIT {
	my ($self, $t, $arg) = @_;
	$self->say($t, 'QUIT', $arg, '221 2.0.0 bye');
	return 0;
}

1;
