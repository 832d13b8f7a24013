#!/usr/bin/perl
# What one client may take: connections over all workers, commands, messages,
# recipients, header, time. Each limit is set low here and reached.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0, frontend_workers => 3, extra => <<'CONF');
limit session {
	connections 12, per-address 6
	mails 5, recipients 3, command-line 1K, bad-commands 4
	size 128K, header-size 4K, header-field 1K, header-fields 20
	received 3, failed-logins 2
	idle-time 4s, login-time 9s, data-time 3s
}
CONF
my $u = $d->account(0);
$d->start;
$d->log_wait(qr/event=started/);	# and all of its front-ends

sub code { my ($r) = @_; return "$r->{code} $r->{enh}" }
sub plain { return Msad::Smtp->connect($d->{port_starttls}, 10, $_[0]) }
sub none_left {
	return wait_for { ($d->msactl('-j', 'show', 'stats')->{json}[0]
	    {'smtp.sessions.active'} // 0) == 0 };
}
my @head = ("From: <$u->{address}>", 'Subject: x');
sub message { return join("\r\n", @_, '', 'x', '') }

# A refused client reads the line and then the end.
sub refused {
	my ($c) = @_;
	my $r = $c->reply;
	return $r->{text} =~ /\A421 mail\.example\.org [^\r\n]*\r\n\z/ &&
	    $r->{enh} eq '' && $c->closed(5);
}

subtest 'connections' => sub {
	# the look that start() took may still be counted
	ok(none_left(), 'nobody is there');
	my @c = map { plain() } 1 .. 6;
	ok($c[$_]->greeting, 'P-ses-4 up to the limit of an address') for 0 .. 5;
	ok(refused(plain()), 'P-ses-4 one more is told 421 and closed') for 1 .. 6;
	my $t = Msad::Smtp->connect($d->{port_tls}, 10);
	ok($t->closed(5), 'P-ses-4 where TLS is due it is closed');
	is($c[$_]->cmd('NOOP')->{code}, 250, 'P-ses-4 those there are not disturbed') for 0 .. 5;
	my @six = map { plain('::1') } 1 .. 6;
	ok($six[$_]->greeting, 'P-ses-4 another address has its own count') for 0 .. 5;
	ok(refused(plain('::1')), 'P-ses-4 and its own limit');
	$_->quit for shift @c, shift @six;
	ok(wait_for { my $c = plain() or return 0; my $ok = $c->greeting(5);
	    $c->close; $ok }, 'P-ses-4 a place is free when one has gone');
	$_->close for @c, @six;
	ok(none_left(), 'all are gone');
};

subtest 'a dead worker' => sub {
	my @c = map { plain() } 1 .. 6;
	$_->greeting for @c;
	ok(refused(plain()), 'P-ses-4 the address is full');
	kill('KILL', map { $_->{pid} } $d->child_named('msad-frontend'));
	ok(wait_for { my $c = plain() or return 0; my $ok = $c->greeting(5);
	    $c->close; $ok }, 'P-ses-4 what the dead counted is taken back');
	my @again;
	ok(wait_for { my $c = plain() or return 0;
	    $c->greeting(5) ? push(@again, $c) : $c->close; @again == 6 },
	    'P-ses-4 all of it');
	ok(refused(plain()), 'P-ses-4 and the limit holds still');
	$_->close for @c, @again;
	ok(none_left(), 'all are gone');
};

subtest 'messages and recipients' => sub {
	my $c = $d->session(0);
	my $r = $c->cmd('EHLO x.example');
	like($r->{text}, qr/^250[- ]LIMITS MAILMAX=5 RCPTMAX=3\r$/m,
	    'R9422-4-a the limits that hold are listed');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 250, 'R9422-4-a MAIL');
	is(code($c->cmd("RCPT TO:<r$_\@x.example>")), '250 2.1.5', "R9422-4-a RCPT $_") for 1 .. 3;
	is(code($c->cmd('RCPT TO:<r4@x.example>')), '452 4.5.3', 'R9422-4-a RCPT 4');
	is($c->cmd('RSET')->{code}, 250, 'RSET');
	for (2 .. 5) {
		is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 250, "R9422-4-a MAIL $_");
		$c->cmd('RSET');
	}
	$r = $c->cmd("MAIL FROM:<$u->{address}>");
	like($r->{text}, qr/\A421 4\.7\.0 mail\.example\.org /, 'R9422-4-a one more MAIL');
	ok($c->closed(5), 'R9422-4-a and the end');
};

subtest 'size and header' => sub {
	my $c = $d->session(0);
	like($c->cmd('EHLO x.example')->{text}, qr/^250[- ]SIZE 131072\r$/m, 'SIZE is the limit');
	is(code($c->cmd("MAIL FROM:<$u->{address}> SIZE=131073")), '552 5.3.4', 'R1870 over it');
	my $to = 'r@x.example';
	is(code($c->submit($u->{address}, $to, message(@head) . ('y' x 78 . "\r\n") x 1700)),
	    '552 5.3.4', 'R1870 found at the end');
	is(code($c->submit($u->{address}, $to, message(@head,
	    'X-A: ' . "y\r\n z" x 400))), '552 5.3.4', 'X-hdr-1 a field');
	is(code($c->submit($u->{address}, $to, message(@head,
	    map { "X-$_: " . 'y' x 400 } 1 .. 12))), '552 5.3.4', 'X-hdr-1 the section');
	$c->close;
	$c = $d->session(0);
	is(code($c->submit($u->{address}, $to, message(@head,
	    map { "X-$_: y" } 1 .. 30))), '554 5.6.0', 'X-hdr-1 the number of fields');
	is(code($c->submit($u->{address}, $to, message((map {
	    "Received: from h$_.example by g.example; Fri, 21 Nov 1997 09:55:06 -0600" }
	    1 .. 4), @head))), '554 5.4.6', 'R5321-6.3 Received fields');
	is(code($c->submit($u->{address}, $to, message(@head))), '250 2.0.0', 'what is within goes');
	$c->close;
};

subtest 'commands and logins' => sub {
	my $c = $d->session(0);
	is(code($c->cmd('NOOP ' . 'x' x 1017)), '250 2.0.0', 'a line of 1024 octets');
	is(code($c->cmd('NOOP ' . 'x' x 1018)), '500 5.5.2', 'a line of 1025');
	is(code($c->cmd('FOO')), '500 5.5.2', "bad command $_") for 2 .. 4;
	is(code($c->cmd('FOO')), '500 5.5.2', 'P-ses-3 bad command 5 has its reply');
	like($c->reply->{text}, qr/\A421 4\.7\.0 /, 'P-ses-3 and then 421');
	ok($c->closed(5), 'P-ses-3 and the end');
	$c = $d->client;
	is(code($c->auth_plain($u->{name}, 'wrong')), '535 5.7.8', 'a wrong password');
	is(code($c->auth_plain($u->{name}, 'wrong')), '535 5.7.8', 'another');
	like($c->reply->{text}, qr/\A421 4\.7\.0 /, 'R4954-9-a the second is the last');
	$c->close;
};

subtest 'time' => sub {
	my $slow = plain();
	$slow->greeting;
	my $idle = plain();
	$idle->greeting;
	my $from = time;
	my $r = $idle->reply;
	like($r->{text}, qr/\A421 4\.4\.2 mail\.example\.org /, 'R5321-4.5.3.2.7-a an idle session');
	my $took = time - $from;
	ok($took > 3 && $took < 7, sprintf('after its time (%.1f s)', $took));
	# one octet a second keeps no session alive without a login
	my $end = time + 15;
	while (time < $end && !$slow->{eof} && $slow->{in} !~ /\n/) {
		$slow->send('x');
		$slow->fill(time + 1);
	}
	$r = $slow->reply(1);
	like($r->{text}, qr/\A421 4\.4\.2 mail\.example\.org /, 'X-slow-1 one octet at a time');
	my $c = $d->session(0);
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->cmd('RCPT TO:<r@x.example>');
	is($c->cmd('DATA')->{code}, 354, 'DATA');
	$c->send("From: <$u->{address}>\r\n");
	like($c->reply->{text}, qr/\A421 4\.4\.2 /, 'X-slow-2 no octet of data');
	$_->close for $slow, $idle, $c;
	is(scalar($d->queue), 0, 'X-slow-2 nothing is queued');
};

subtest 'reload' => sub {
	my $old = plain();
	$old->greeting;
	$d->{extra} = "limit session { connections 1 }\n" .
	    "bar from ::1/128\nearly-talker reject\n";
	$d->write_conf;
	$d->reload;
	ok(wait_for { my $c = plain() or return 0; my $bad = refused($c);
	    $c->close; $bad }, 'P-ses-4 the new limit holds after a reload');
	is($old->cmd('NOOP')->{code}, 250, 'P-ses-4 who is there stays');
	$old->quit;
	ok(none_left(), 'all are gone');
};

subtest 'barred' => sub {
	my $c = plain('::1');
	my $r = $c->reply;
	like($r->{text}, qr/\A554 mail\.example\.org /, 'R5321-3.1-b the greeting of a barred client');
	is($r->{enh}, '', 'R5321-3.1-b without an enhanced code');
	is(code($c->cmd($_)), '503 5.5.1', "R5321-3.1-b $_") for 'EHLO x.example', 'NOOP', 'STARTTLS';
	is(code($c->cmd('QUIT')), '221 2.0.0', 'R5321-3.1-b QUIT');
	ok($c->closed(5), 'R5321-3.1-b the end');
	ok(none_left(), 'it is gone');
};

subtest 'early talkers' => sub {
	my @front = map { $_->{pid} } $d->child_named('msad-frontend');
	my $early = sub {
		# what is sent is there before the front-end can greet
		kill('STOP', @front);
		my $c = plain();
		$c->send("EHLO x.example\r\nNOOP\r\n");
		kill('CONT', @front);
		return $c;
	};
	my $c = $early->();
	my $r = $c->reply;
	like($r->{text}, qr/\A554 mail\.example\.org /, 'X-early-1 refused where the configuration says so');
	is($r->{enh}, '', 'X-early-1 without an enhanced code');
	is(code($c->reply), '503 5.5.1', 'X-early-1 no command runs') for 1 .. 2;
	is(code($c->cmd('QUIT')), '221 2.0.0', 'X-early-1 QUIT');
	$c->close;
	ok(none_left(), 'it is gone');
	$c = plain();
	ok($c->greeting, 'X-early-1 who waits is greeted');
	$c->close;
	$d->{extra} = '';
	$d->write_conf;
	$d->reload;
	ok(wait_for { my @c = map { plain() } 1, 2; my $ok = $c[1]->greeting(5);
	    $_->close for @c; $ok }, 'a reload');
	$c = $early->();
	is($c->reply->{code}, 220, 'X-early-1 by default it is greeted');
	is($c->reply->{code}, 250, 'X-early-1 and its commands run') for 1 .. 2;
	$c->close;
};

$d->done;
# Front-ends that may have 40 descriptors only, fewer than they count on.
subtest 'descriptors' => sub {
	my $few = Msad->new(start => 0, frontend_workers => 2);
	my $dir = $few->{libexec} = "$few->{dir}/libexec";
	mkdir $dir;
	symlink($_, "$dir/" . s/.*\///r) for glob("$Msad::BUILD/msad-*");
	unlink("$dir/msad-frontend");
	spew("$dir/msad-frontend", "#!/bin/sh\nulimit -n 40\n" .
	    "exec $Msad::BUILD/msad-frontend \"\$@\"\n", 0755);
	$few->start;
	$few->log_wait(qr/event=started/);
	my @front = $few->child_named('msad-frontend');
	my (@c, @over);
	for (1 .. 120) {
		my $c = Msad::Smtp->connect($few->{port_starttls}, 5) or next;
		push @{ $c->greeting ? \@c : \@over }, $c;
	}
	cmp_ok(scalar @c, '>', 20, 'P-ses-4 as many as fit are served: ' . @c);
	is(scalar(grep { $_->{banner}{text} =~ /\A421 mail\.example\.org / } @over),
	    120 - @c, 'P-ses-4 all others are told 421 at once');
	is($c[0]->cmd('NOOP')->{code}, 250, 'and those there go on');
	my $ticks = sub {
		my $n = 0;
		for (@front) {
			my @f = split(/ /, slurp("/proc/$_->{pid}/stat") =~ s/.*\) //sr);
			$n += $f[11] + $f[12];
		}
		return $n;
	};
	my $before = $ticks->();
	$c[0]->line(1);
	cmp_ok($ticks->() - $before, '<', 30, 'accept does not spin');
	$_->close for @c;
	ok(wait_for { my $c = Msad::Smtp->connect($few->{port_starttls}, 5) or return 0;
	    my $ok = $c->greeting(5); $c->close; $ok }, 'service again when they have gone');
	$few->done;
};

done_testing;
