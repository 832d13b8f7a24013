#!/usr/bin/perl
# Clients and local callers that mean ill: bad input costs its sender only
# (P6), overload gets a temporary refusal and passes (P7), and nothing of it
# forges a line of the log or a message.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use IO::Socket::INET;
use IO::Socket::UNIX;
use MIME::Base64;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

# What memory may grow by; the address sanitizer keeps what was freed.
my $flat = slurp("$Msad::BUILD/msad-frontend") =~ /__asan_init/ ? 524288 : 4096;

my $d = Msad->new(level => 'debug');
my $u = $d->account(0);

# Over all front-ends: resident kB, descriptors, ticks of processor.
sub frontends {
	my ($rss, $fds, $ticks) = (0, 0, 0);
	for my $p ($d->child_named('msad-frontend')) {
		$rss += $1 if slurp("/proc/$p->{pid}/status") =~
		    /^VmRSS:\s+(\d+)/m;
		$fds += () = glob("/proc/$p->{pid}/fd/*");
		my @f = split(' ', slurp("/proc/$p->{pid}/stat") =~
		    s/.*\) //sr);
		$ticks += $f[11] + $f[12];
	}
	return ($rss, $fds, $ticks);
}

sub sessions {
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0];
	return $s->{'smtp.sessions.active'} // -1;
}

# Close with a reset in place of an orderly end.
sub reset_close {
	my ($sock) = @_;
	setsockopt($sock, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
	close($sock);
}

sub plain_of { encode_base64("\0$_[0]\0$_[1]", '') }

my @pids = sort map { $_->{pid} } grep { $_->{name} ne 'msad-pam' }
    $d->children;
my ($rss0, $fds0) = frontends();

# An end of data that some servers see and others do not.
subtest 'smuggling' => sub {
	my %ends = ('LF.LF' => "\n.\n", 'LF.CRLF' => "\n.\r\n",
	    'CRLF.LF' => "\r\n.\n", 'CR.CR' => "\r.\r",
	    'CRLF.CR' => "\r\n.\r", 'CR.CRLF' => "\r.\r\n",
	    'CRLF NUL.CRLF' => "\r\n\0.\r\n", 'CRLF.NUL CRLF' => "\r\n.\0\r\n",
	    'CRLF.CRCRLF' => "\r\n.\r\r\n");
	my $inner = "MAIL FROM:<$u->{address}>\r\nRCPT TO:<evil\@x.example>\r\n" .
	    "DATA\r\nFrom: <$u->{address}>\r\n\r\nsmuggled\r\n";
	my $c = $d->session(0);
	for my $name (sort keys %ends) {
		my $head = "From: <$u->{address}>\r\n\r\nouter";
		my $all = "$head$ends{$name}$inner.\r\nNOOP\r\n";
		my %seen;
		for my $at (0 .. length($ends{$name}) + 1) {
			$c->send("MAIL FROM:<$u->{address}>\r\n" .
			    "RCPT TO:<a\@x.example>\r\nDATA\r\n");
			my @r = map { $c->reply->{code} } 1 .. 3;
			$c->send(substr($all, 0, length($head) + $at));
			select(undef, undef, undef, 0.002);
			$c->send(substr($all, length($head) + $at));
			push @r, map { my $r = $c->reply; "$r->{code} $r->{enh}" }
			    1 .. 2;
			$seen{"@r"}++;
		}
		is(join(' | ', keys %seen), '250 250 354 554 5.6.0 250 2.0.0',
		    "X-smug-1 $name: one transaction, refused, in step");
	}
	$c->quit;
	is(scalar(grep { /smuggled|outer/ } $d->mails), 0,
	    'X-smug-1 nothing was delivered');
	is(scalar($d->queue), 0, 'X-smug-1 nothing is queued');
};

# It writes for ever and reads nothing: it is not read either, at no cost.
subtest 'replies unread' => sub {
	for my $tls ('none', 'tls') {
		my $c = $d->client(tls => $tls);
		my $group = "NOOP\r\n" x 2730;
		my ($sent, $off, $last) = (0, 0, time);
		while (time - $last < 0.5 && $sent < 200_000_000) {
			my $n = syswrite($c->{sock}, $group,
			    length($group) - $off, $off);
			if ($n) {
				$sent += $n;
				$off = ($off + $n) % length($group);
				$last = time;
			} elsif (!$!{EAGAIN} && !$!{EWOULDBLOCK}) {
				last;
			} else {
				select(undef, undef, undef, 0.01);
			}
		}
		cmp_ok($sent, '<', 100_000_000, "X-slow-3 $tls: it is held up");
		ok(!$c->{eof} && ($!{EAGAIN} || $!{EWOULDBLOCK}),
		    "X-slow-3 $tls: and not closed");
		my (undef, undef, $t0) = frontends();
		select(undef, undef, undef, 0.5);
		my ($rss, undef, $t1) = frontends();
		cmp_ok($rss - $rss0, '<', $flat, "X-slow-3 $tls: memory is flat");
		cmp_ok($t1 - $t0, '<=', 15, "X-slow-3 $tls: no busy loop");
		my $other = $d->client(tls => 'tls');
		is($other->cmd('NOOP')->{code}, 250,
		    "X-slow-3 $tls: others are served");
		$other->quit;
		my ($got, $bad) = (0, 0);
		while ($got < 2000) {
			my $r = $c->reply(10);
			last if $r->{code} != 250;
			$got++;
		}
		is($got, 2000, "X-slow-3 $tls: what it reads at last is in order");
		$c->close;
	}
};

subtest 'octets without end' => sub {
	my $c = $d->session(0, tls => 'tls');
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->cmd('RCPT TO:<a@x.example>');
	$c->cmd('DATA');
	my $piece = 'x' x 65536;
	$c->send($piece) for 1 .. 1024;		# 64 MiB, over the limit
	my ($rss) = frontends();
	cmp_ok($rss - $rss0, '<', $flat, 'X-line-2 memory is flat');
	$c->send("\r\n.\r\n");
	my $r = $c->reply;
	is("$r->{code} $r->{enh}", '552 5.3.4', 'X-line-2 one line in DATA');
	is($c->cmd('NOOP')->{code}, 250, 'X-line-2 in step');

	$c->cmd("MAIL FROM:<$u->{address}>");
	my (%said, $n);
	for (1 .. 20) {
		$c->send(join('', map { 'RCPT TO:<u' . ++$n . "\@x.example>\r\n" }
		    1 .. 250));
		for (1 .. 250) {
			my $x = $c->reply;
			$said{"$x->{code} $x->{enh}"}++;
		}
	}
	is_deeply(\%said, { '250 2.1.5' => 1000, '452 4.5.3' => 4000 },
	    'X-rcpt-1 1000 recipients, the rest 452');
	is($c->cmd('RSET')->{code}, 250, 'X-rcpt-1 in step');
	$c->quit;
};

subtest 'connections that end early' => sub {
	my $hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'A' x 50;
	for my $n (1 .. 2000) {
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		    PeerPort => $n % 4 < 2 ? $d->{port_tls} :
		    $d->{port_starttls}) or die "connect: $!";
		syswrite($s, $hello) if $n % 3;
		$n % 2 ? reset_close($s) : close($s);
	}
	my $text = "EHLO x\r\nAUTH PLAIN " . plain_of($u->{name},
	    $u->{password}) . "\r\nMAIL FROM:<$u->{address}>\r\n" .
	    "RCPT TO:<cut\@x.example>\r\nDATA\r\nFrom: <$u->{address}>\r\n\r\n" .
	    "cut short\r\n.";
	for my $at (map { $_ * 5 } 0 .. length($text) / 5) {
		my $c = $d->client(tls => 'tls', ehlo => 0);
		$c->send(substr($text, 0, $at));
		$at % 2 ? reset_close($c->{sock}) : $c->close;
	}
	my $gone = wait_for { sessions() == 0 };
	ok($gone, 'R5321-4.1.1.10-a no session is left over');
	my (undef, $fds) = frontends();
	is($fds, $fds0, 'X-tls-1 no descriptor is left over');
	is(scalar($d->queue), 0, 'nothing of what was cut off is queued');
	is(scalar(grep { /cut short/ } $d->mails), 0, 'or delivered');
};

subtest 'garbage for SASL' => sub {
	my %garbage = (
		'12 KiB of A' => [ 'A' x 12000, 535, '5.7.8' ],
		'all octets' => [ encode_base64(join('', map { chr } 0 .. 255),
		    ''), 535, '5.7.8' ],
		'commas' => [ encode_base64('n,,n=,r=' . ',' x 8000, ''), 535,
		    '5.7.8' ],
		'padding' => [ '====', 501, '5.5.2' ],
		'too long' => [ 'A' x 12400, 500, '5.5.6' ],
		'escape sequences' => [ plain_of("a\x1b[31mb", 'x'), 535,
		    '5.7.8' ],
		'a path' => [ plain_of('../../etc/passwd', 'x'), 535, '5.7.8' ],
		'a long name' => [ plain_of('u' x 300, 'x'), 535, '5.7.8' ],
		'a long password' => [ plain_of($u->{name}, 'p' x 600), 535,
		    '5.7.8' ],
		'another line' => [ plain_of("x\nevent=auth-ok user=root", 'x'),
		    535, '5.7.8' ],
	);
	for my $name (sort keys %garbage) {
		my ($text, $code, $enh) = @{ $garbage{$name} };
		my $c = $d->client(tls => 'tls');
		my $t = time;
		my $r = $c->cmd("AUTH PLAIN $text");
		is("$r->{code} $r->{enh}", "$code $enh", "X-auth-1 $name");
		cmp_ok(time - $t, '<', 5, "X-auth-1 $name: within 5 s");
		$c->close;
	}
	unlike($d->log, qr/^event=auth-ok/m, 'X-auth-1 no line of the log is forged');
};

# A login that nobody waits for any more.
subtest 'gone in mid-PAM' => sub {
	my $line = 'AUTH PLAIN ' . plain_of($u->{name}, 'wrong') . "\r\n";
	for my $n (1 .. 60) {
		my $c = $d->client(tls => 'tls');
		$c->send($line);
		$n % 2 ? reset_close($c->{sock}) : $c->close;
	}
	my $idle = wait_for {
		my $s = $d->msactl('-j', 'show', 'stats')->{json}[0];
		($s->{'auth.pending'} // 1) == 0 &&
		    $s->{'smtp.sessions.active'} == 0;
	};
	ok($idle, 'X-auth-2 no login and no session is left over');
	my $c = $d->session(0, tls => 'tls');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 250,
	    'X-auth-2 and the next login works');
	$c->quit;
};

# The exchange is with an msad-auth that is no more.
subtest 'auth dies in mid-SASL' => sub {
	my ($auth) = grep { $_->{name} eq 'msad-auth' } $d->children;
	my @c = map { $d->client(tls => 'tls') } 1 .. 3;
	is($_->cmd('AUTH LOGIN')->{code}, 334, 'a response is due') for @c;
	kill('KILL', $auth->{pid});
	my $again = wait_for {
		my $c = $d->client(tls => 'tls') or return 0;
		my $r = $c->auth_plain($u->{name}, $u->{password});
		$c->close;
		$r->{code} == 235;
	};
	ok($again, 'R4954-6-b logins work again');
	my @line = ('A' x 12400, '!', encode_base64($u->{name}, ''));
	for my $c (@c) {
		my $t = time;
		my $r = $c->cmd(shift @line);
		is("$r->{code} $r->{enh}", '454 4.7.0', 'R4954-6-b 454');
		cmp_ok(time - $t, '<', 5, 'R4954-6-b at once');
		is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
		    'and the next try succeeds');
		is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 250,
		    'with a grant');
		$c->quit;
	}
	@pids = sort map { $_->{pid} } grep { $_->{name} ne 'msad-pam' }
	    $d->children;
};

subtest 'control socket' => sub {
	my $path = "$d->{dir}/msad.sock";
	my @held = map { IO::Socket::UNIX->new(Peer => $path) } 1 .. 300;
	is($d->msactl('show', 'status')->{status}, 1,
	    'P6 too many connections: refused');
	@held = ();
	my $free = wait_for { $d->msactl('show', 'status')->{status} == 0 };
	ok($free, 'P7 and served again when they are gone');
	for my $text ('{"cmd":"queue list"' x 3000, '[' x 100000, "\0\0",
	    '{"cmd":{"a":1}}', '[]', '1e999', '{"cmd":"show stats","cmd":"reload"}',
	    '{"cmd":"log level","level":"\ud800"}',
	    '{"cmd":"queue remove","all":true,"id":"1"}',
	    '{"cmd":"queue show","id":"..\u0000"}') {
		my $s = IO::Socket::UNIX->new(Peer => $path);
		syswrite($s, "$text\n");
		like(scalar(<$s>) // '', qr/"status":1,"error":/,
		    'P6 refused: ' . substr($text, 0, 40) =~ s/\0/\\0/gr);
	}
	my $s = IO::Socket::UNIX->new(Peer => $path);
	$s->blocking(0);
	1 while syswrite($s, "{\"cmd\":\"show stats\"}\n");
	is($d->msactl('show', 'stats')->{status}, 0,
	    'P6 one that does not read holds up nobody');
	local $d->{msactl_as} = 'nobody';
	is($d->msactl('show', 'status')->{status}, 4, 'others are denied');
};

is_deeply([ sort map { $_->{pid} } grep { $_->{name} ne 'msad-pam' }
    $d->children ], \@pids, 'P6 no process died of all that');
my $log = $d->log;
unlike($log, qr/[\x00-\x09\x0b-\x1f\x7f-\xff]/,
    'X-ctl-1 no control character in the log');
ok(index($log, $u->{password}) < 0, 'X-leak-1 no password in the debug log');
ok(index($log, plain_of($u->{name}, $u->{password})) < 0,
    'X-leak-1 nor as it was sent');
$d->done;

# Descriptors run out: those who have a session keep it, the rest wait.
subtest 'no descriptors' => sub {
	my $few = Msad->new(frontend_workers => 1, start => 0);
	$few->{libexec} = "$few->{dir}/lib";
	mkdir $few->{libexec};
	for my $p (grep { -f } glob("$Msad::BUILD/msad-*")) {
		my ($name) = $p =~ m{([^/]+)$};
		symlink($p, "$few->{libexec}/$name");
	}
	unlink("$few->{libexec}/msad-frontend");
	spew("$few->{libexec}/msad-frontend", "#!/bin/sh\nulimit -n 40\n" .
	    "exec $Msad::BUILD/msad-frontend \"\$@\"\n", 0755);
	$few->start;
	my $first = $few->client(tls => 'none');
	my @c = map { Msad::Smtp->connect($few->{port_starttls}) } 1 .. 60;
	ok($few->log_wait(qr/event=accept error=/), 'P7 it is logged');
	is($first->cmd('NOOP')->{code}, 250, 'P7 who is in is served');
	my $said = () = $few->log =~ /event=accept error=/g;
	cmp_ok($said, '<', 10, 'P6 and the log is not filled');
	my $t = time;
	$_->close for @c;
	my $back = wait_for {
		my $c = Msad::Smtp->connect($few->{port_starttls}, 2);
		my $ok = $c && $c->greeting(2);
		$c->close if $c;
		$ok;
	};
	ok($back, 'P7 and served again when there are some');
	$first->quit;
	$few->done;
};

done_testing();
