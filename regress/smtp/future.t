# FUTURERELEASE (RFC 4865): where it is offered, what is refused, that nothing
# goes out before its time over restarts, how many a user may have waiting.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

my $d = Msad->new(start => 0);
# an address of our own, where the ports of submission are free
my $addr = sprintf('127.%d.%d.%d', 101 + $$ % 100, 1 + ($$ / 100) % 250, 1 + rand(250));
my @users = qw(ann bob cat);
my $hash = `openssl passwd -6 secret`;
chomp $hash;
my $gate = strftime('%Y-%m-%d', gmtime(time + 20 * 86400));
spew("$d->{dir}/passwd", join('', map { "$_:$hash\n" } @users) .
    'ann:' . (`openssl passwd -6 later` =~ s/\n//r) .
    ":label=later no-relay-before=$gate\n", 0600);
my $dead = free_port();
$d->{relay} = "relay \"dead\" { host 127.0.0.1 port $dead retry { 1s } expire 2s }\n";
$d->{extra} = "auth \"file\" { passwd file:\"$d->{dir}/passwd\" mech plain realm \"example.org\" }\n" .
    "listen on $addr port 587 starttls pki \"main\" auth \"file\"\n" .
    "listen on $addr port 465 tls pki \"main\" auth \"file\"\n" .
    "listen on $addr port 2525 starttls pki \"main\" auth \"file\"\n" .
    "table \"dead\" { \"cat\" = \"cat\@dead.example\" }\n";
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from auth sender <dead> relay \"dead\"\n";

sub configure {
	$d->{tables} = "limit login off\n" . join('', map { "$_\n" } @_);
	$d->write_conf;
}

sub reload {
	configure(@_);
	my $n = () = $d->log =~ /event=reloaded/g;
	$d->reload;
	ok(wait_for { $n < (() = $d->log =~ /event=reloaded/g) }, 'reload');
}

# A session on one of the ports; its EHLO under TLS is in {hello}.
sub session {
	my ($port, $user, $pw) = @_;
	my $c = Msad::Smtp->connect($port, 20, $addr) or die 'no connection';
	my @ca = (SSL_ca_file => "$d->{dir}/ca.pem");
	if ($port == 465) {
		$c->start_tls(@ca) or die 'no TLS';
		$c->greeting;
	} else {
		$c->greeting;
		$c->{clear} = $c->cmd('EHLO client.example')->{text};
		$c->cmd('STARTTLS');
		$c->start_tls(@ca) or die 'no TLS';
	}
	$c->{hello} = $c->cmd('EHLO client.example')->{text};
	my $r = $c->auth_plain($user, $pw // 'secret');
	$r->{code} == 235 or die "login: $r->{text}";
	return $c;
}

# The same once the front-end has the configuration msad has told it of.
sub session_with {
	my ($re, @args) = @_;
	my $c;
	wait_for { $c = session(@args); $c->{hello} =~ $re };
	return $c;
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

my $serial = 0;

# Hand a message over; its id, or the reply in list context.
sub mail {
	my ($c, $user, $params, %o) = @_;
	my $from = $o{from} // "$user\@example.org";
	$serial++;
	my $r = $c->submit($from, 'rcpt@x.example', "From: <$from>\r\n" .
	    "Subject: number $serial.\r\n\r\nx\r\n", mail => $params ? " $params" : '');
	$c->cmd('RSET') if $r->{code} != 250;
	$r->{serial} = $serial;
	return $r;
}

sub not_before {
	my ($id) = @_;
	$d->log_wait(qr/q=$id .*event=accepted/);
	my ($t) = $d->log =~ /q=$id .*event=accepted.* not-before=(\d+)/;
	return $t // -1;
}

sub rfc3339 { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($_[0])) }

configure();
$d->start;

subtest 'R4865-4.2-a where it is offered' => sub {
	for my $port (587, 465) {
		my $c = session($port, 'ann');
		my ($n, $t) = $c->{hello} =~ /^250-FUTURERELEASE (\d+) (\S+)\r$/m;
		is($n, 2592000, "R4865-4.2-a port $port: FUTURERELEASE with the longest interval");
		my @t = ($t // '') =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;
		is(scalar(@t), 6, "R4865-4.2-a port $port: and the last date") or next;
		my $last = timegm(@t[5, 4, 3, 2], $t[1] - 1, $t[0]);
		cmp_ok(abs($last - time - 2592000), '<', 30, 'which is that far ahead');
		says($c->cmd("MAIL FROM:<ann\@example.org> HOLDUNTIL=$t"), 250, '2.1.0',
		    'the last date is taken');
		like($c->{clear}, qr/^250-FUTURERELEASE /m, 'before TLS too') if $c->{clear};
		$c->quit;
	}
	my $c = session(2525, 'ann');
	unlike($c->{hello}, qr/FUTURERELEASE/, 'R4865-4.2-a port 2525: not offered');
	says($c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=60'), 555, '5.5.4',
	    'R4865-4.2-a port 2525: not taken');
	like($c->{hello}, qr/^250-DELIVERBY\r$/m, 'DELIVERBY is');
	$c->quit;
	$c = $d->client;
	unlike($c->cmd('EHLO x.example')->{text}, qr/FUTURERELEASE/, 'nor on any other port');
	$c->quit;
};

subtest 'R4865-4.2-c what is refused' => sub {
	my $now = time;
	my @bad = ('HOLDFOR=2592001', 'HOLDFOR=999999999', 'HOLDFOR=1000000000', 'HOLDFOR=0',
	    'HOLDFOR=-1', 'HOLDFOR=+1', 'HOLDFOR=1m', 'HOLDFOR=', 'HOLDFOR',
	    'HOLDUNTIL=' . rfc3339($now - 1), 'HOLDUNTIL=1970-01-01T00:00:00Z',
	    'HOLDUNTIL=' . rfc3339($now + 2592000 + 3600), 'HOLDUNTIL=tomorrow', 'HOLDUNTIL',
	    'HOLDUNTIL=' . (rfc3339($now + 60) =~ s/Z/+00:00/r),
	    'HOLDUNTIL=' . (rfc3339($now + 60) =~ s/T/ /r),
	    'HOLDFOR=60 HOLDUNTIL=' . rfc3339($now + 60),
	    'HOLDUNTIL=' . rfc3339($now + 60) . ' HOLDFOR=60', 'HOLDFOR=60 HOLDFOR=60',
	    'HOLDUNTIL=' . rfc3339($now + 60) . ' HOLDUNTIL=' . rfc3339($now + 60));
	my $c;
	for my $i (0 .. $#bad) {
		$c = session(587, 'ann') if $i % 8 == 0;
		my $r = $c->cmd("MAIL FROM:<ann\@example.org> $bad[$i]");
		says($r, 501, '5.5.4', "R4865-4.2-c $bad[$i]");
		$c->cmd('RSET') if $r->{code} == 250;
	}
	$c = session(587, 'ann');
	for my $p ('BY=60;R HOLDFOR=61', 'HOLDFOR=61 BY=60;N', 'BY=-5;N HOLDFOR=1',
	    'BY=60;R HOLDUNTIL=' . rfc3339(time + 120)) {
		says($c->cmd("MAIL FROM:<ann\@example.org> $p"), 501, '5.5.4', "R4865-5.2.2-a $p");
	}
	says($c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=60 BY=60;R'), 250, '2.1.0',
	    'R4865-5.2.2-a held just as long');
	$c->quit;
};

subtest 'R4865-4.2-b nothing before its time' => sub {
	my $c = session(587, 'ann');
	my $r = mail($c, 'ann', 'HOLDFOR=8');
	says($r, 250, '2.0.0', 'HOLDFOR=8');
	my $p = mail($c, 'ann', 'BY=9000;R HOLDFOR=3600 MT-PRIORITY=-2');
	my ($m) = @{ $d->msactl('-j', 'queue', 'show', $p->{id})->{json} };
	is_deeply([$m->{priority}, $m->{by} - $m->{time}, !!$m->{return}], [-2, 9000, 1],
	    'P8 queue show tells its priority, and by when');
	like($d->msactl('queue', 'show', $p->{id})->{out},
	    qr/^prio    -2\nby      \S+ \S+ \S+, else returned$/m, 'also to people');
	is($d->msactl('queue', 'drop', $p->{id})->{status}, 0, 'cancelled');
	my $until = rfc3339(time + 9);
	my $u = mail($c, 'ann', "HOLDUNTIL=$until");
	says($u, 250, '2.0.0', 'HOLDUNTIL');
	my $now = mail($c, 'ann', '');
	says($now, 250, '2.0.0', 'one to go at once');
	my ($t, $tu) = (not_before($r->{id}), not_before($u->{id}));
	cmp_ok($t - time, '>', 2, 'R4865-4.2-b its time is ahead');
	is(rfc3339($tu), $until, 'R4865-4.2-b as was asked');
	is(not_before($now->{id}), 0, 'the other has none');
	ok($d->mails_wait(1, qr/number $now->{serial}\./), 'that one is there');
	$d->kill_all;
	ok(time < $t, 'killed before the time');
	$d->start;
	for ([$r, $t], [$u, $tu]) {
		my ($m, $at) = @$_;
		is(scalar(grep { /number $m->{serial}\./ } $d->mails), 0, 'R4865-4.2-b not yet')
		    if time < $at;
		ok($d->mails_wait(1, qr/number $m->{serial}\./), 'R4865-4.2-b it comes');
		cmp_ok(time, '>=', $at, 'R4865-4.2-b and not before its time');
		ok($d->log_wait(qr/q=$m->{id} event=delivered/), 'as the log says');
		my ($logged) = $d->log =~ /^(\S+) \S+ q=$m->{id} event=delivered/m;
		my @t = ($logged // '') =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/;
		cmp_ok(timegm(@t[5, 4, 3, 2], $t[1] - 1, $t[0]), '>=', $at,
		    'R4865-4.2-b by the time in the log') if @t;
	}
};

subtest 'R4865-4.2-b its lifetime begins at release' => sub {
	my $c = session(587, 'cat');
	my $r = mail($c, 'cat', 'HOLDFOR=4', from => 'cat@dead.example');
	says($r, 250, '2.0.0', 'held for longer than mail lives there');
	my $t = not_before($r->{id});
	ok($d->log_wait(qr/q=$r->{id} event=(bounced|failed|expired)/), 'it is given up')
	    or diag(grep { /q=$r->{id}/ } split(/^/m, $d->log));
	cmp_ok(time, '>=', $t + 2, 'R4865-4.2-b two seconds after its release');
};

subtest 'R4865-6-a how many wait' => sub {
	reload('future-release { held 3, max 1h }');
	my $c = session_with(qr/^250-FUTURERELEASE 3600 /m, 587, 'ann');
	like($c->{hello}, qr/^250-FUTURERELEASE 3600 /m, 'the new limit is offered');
	my @held = map { mail($c, 'ann', 'HOLDFOR=3600') } 1 .. 3;
	says($_, 250, '2.0.0', 'held') for @held;
	my $r = $c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=3600');
	says($r, 552, '5.7.16', 'R4865-6-a one too many');
	says(mail($c, 'ann', ''), 250, '2.0.0', 'R4865-6-a not for what goes at once');
	my $e = session(465, 'ann');
	says($e->cmd('MAIL FROM:<ann@example.org> HOLDFOR=9'), 552, '5.7.16',
	    'R4865-6-a nor by another session');
	my $b = session(587, 'bob');
	says(mail($b, 'bob', 'HOLDFOR=3600'), 250, '2.0.0', 'R4865-6-a another user may');
	$d->kill_all;
	$d->start;
	$c = session(587, 'ann');
	says($c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=9'), 552, '5.7.16',
	    'R4865-6-a after a restart as before');
	is($d->msactl('queue', 'remove', $held[1]{id})->{status}, 0, 'one is removed');
	says($c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=9'), 250, '2.1.0',
	    'R4865-6-a there is room');
	# two sessions that were both told so: one of them gets it
	my $f = session(587, 'ann');
	says($f->cmd('MAIL FROM:<ann@example.org> HOLDFOR=9'), 250, '2.1.0', 'also for another');
	my @r;
	for my $s ($c, $f) {
		$s->cmd('RCPT TO:<rcpt@x.example>');
		$s->cmd('DATA');
		$s->send("From: <ann\@example.org>\r\n\r\nx\r\n.\r\n");
		push @r, $s->reply;
	}
	says($r[0], 250, '2.0.0', 'the first one has it');
	says($r[1], 552, '5.7.16', 'R4865-6-a and the second one not');
};

subtest 'what keeps it back for longer wins' => sub {
	reload();
	my $c = session(587, 'ann', 'later');
	my $r = mail($c, 'ann', 'HOLDFOR=60');
	my ($y, $m, $day) = split(/-/, $gate);
	is(not_before($r->{id}), timegm(0, 0, 0, $day, $m - 1, $y), 'the date of the credential');
	my $u = mail($c, 'ann', 'HOLDFOR=2500000');
	cmp_ok(not_before($u->{id}), '>', time + 2400000, 'the time that was asked for');
	reload('limit user { messages 1/hour, over hold }');
	my $b = session(587, 'bob');
	says(mail($b, 'bob', ''), 250, '2.0.0', 'within the limit');
	my $h = mail($b, 'bob', 'HOLDFOR=60');
	cmp_ok(not_before($h->{id}), '>', time + 600, 'a limit that holds for longer');
	my $e = session(587, 'cat');
	says(mail($e, 'cat', ''), 250, '2.0.0', 'another user, within the limit');
	my $l = mail($e, 'cat', 'HOLDFOR=86400');
	cmp_ok(not_before($l->{id}), '>', time + 80000, 'or for less long');
};

subtest 'switched off, and on everywhere' => sub {
	reload('future-release off', 'deliver-by off', 'mt-priority off');
	my $c = session_with(qr/^(?!.*FUTURERELEASE)/s, 587, 'ann');
	unlike($c->{hello}, qr/FUTURERELEASE|DELIVERBY|MT-PRIORITY/, 'nothing is offered');
	says($c->cmd("MAIL FROM:<ann\@example.org> $_"), 555, '5.5.4', "$_ is not known")
	    for 'HOLDFOR=60', 'HOLDUNTIL=' . rfc3339(time + 60), 'BY=60;R', 'MT-PRIORITY=0';
	reload('future-release { port any }');
	my $e = session_with(qr/FUTURERELEASE/, 2525, 'ann');
	like($e->{hello}, qr/^250-FUTURERELEASE 2592000 /m, 'R4865-4.2-a offered where configured');
	says($e->cmd('MAIL FROM:<ann@example.org> HOLDFOR=60'), 250, '2.1.0', 'and taken');
	says($c->cmd('MAIL FROM:<ann@example.org> HOLDFOR=60'), 250, '2.1.0',
	    'in a session that goes on too');
};

$d->done;
done_testing;
