#!/usr/bin/perl
# Local programs: the socket that msad-auth listens on, where the kernel says
# who submits, and sendmail(8) on top of it. Real users, by their user ids.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::UNIX;
use POSIX ();
use Msad;
use Test::More;

my $d = Msad->new(start => 0, frontend_workers => 2);
my $sock = "$d->{dir}/submit.sock";
my $ann = $d->account(0)->{name};
my $bob = $d->account(1)->{name};
$d->write_conf($d->conf_text . <<"CONF");
listen on socket "$sock"
table more { "$bob" = "shop\@shop.example, \@bob.example" }
match from local user root sender any relay "box"
match from local sender { own, <more> } relay "box"
CONF

# What nobody listens on any more is taken away.
my $stale = IO::Socket::UNIX->new(Local => $sock, Listen => 1) or die "$sock: $!";
close $stale;
$d->start;
my @st = stat $sock;
is(sprintf('%04o', $st[2] & 07777), '0666', 'the socket is for everybody');
is($st[4], 0, 'and root\'s');

my $program = "$d->{dir}/sendmail";
spew($program, slurp("$Msad::BUILD/msactl"), 0755);

# Run the block as that user in a process of its own; what it returns.
sub as {
	my ($user, $code) = @_;
	pipe(my $r, my $w) or die;
	my $pid = fork() // die;
	if ($pid == 0) {
		my (undef, undef, $uid, $gid) = getpwnam($user);
		$( = $) = "$gid $gid";
		POSIX::setgid($gid);
		POSIX::setuid($uid);
		print $w $code->() // '';
		close $w;
		POSIX::_exit(0);
	}
	close $w;
	local $/;
	my $out = <$r>;
	waitpid($pid, 0);
	return $out;
}

sub local_client {
	my $s = IO::Socket::UNIX->new(Peer => $sock) or return undef;
	$s->blocking(0);
	my $c = bless { sock => $s, in => '', timeout => 20 }, 'Msad::Smtp';
	$c->greeting or return undef;
	$c->cmd('EHLO program.example');
	return $c;
}

sub says {
	my ($user, @lines) = @_;
	return as($user, sub {
		my $c = local_client() or return 'no greeting';
		my $r;
		$r = $c->cmd($_) for @lines;
		return $r->{text};
	});
}

my $text = "From: %s\r\nTo: you\@y.example\r\nSubject: %s\r\n\r\ntext\r\n";

# --- who may send what ---

like(says($ann, "MAIL FROM:<$ann\@mail.example.org>"), qr/^250 2\.1\.0/,
    'R6409-4.3-b user@hostname is the user\'s own');
like(says($ann, "MAIL FROM:<$bob\@mail.example.org>"), qr/^550 5\.7\.1/,
    'R6409-4.3-b the address of another is not');
like(says($ann, "MAIL FROM:<$ann\@example.org>"), qr/^550 5\.7\.1/,
    'R6409-4.3-b nor that of a login of the same name in a realm');
like(says($ann, 'MAIL FROM:<shop@shop.example>'), qr/^550 5\.7\.1/,
    'R6409-4.3-b nor what a table gives to another');
like(says($bob, 'MAIL FROM:<shop@shop.example>'), qr/^250/, 'which that one may use');
like(says($bob, 'MAIL FROM:<x@bob.example>'), qr/^250/, 'and by domain');
like(says('root', 'MAIL FROM:<any@where.example>'), qr/^250/, 'root: any, by its rule');
like(says($ann, 'MAIL FROM:<>'), qr/^250/, 'R6409-3.2-a the null path is everybody\'s');

# --- the session ---

my $ehlo = as($ann, sub {
	my $c = local_client() or return;
	return $c->cmd('EHLO x')->{text};
});
like($ehlo, qr/^250-SIZE /m, 'EHLO lists what there is');
unlike($ehlo, qr/^250[- ](?:AUTH|STARTTLS)/m, 'and neither AUTH nor STARTTLS');
like(says($ann, 'STARTTLS'), qr/^502 5\.5\.1/, 'STARTTLS: not here');

my $talk = as($ann, sub {
	my $c = local_client() or return;
	my @r = map { $c->cmd($_)->{text} } "MAIL FROM:<$ann\@mail.example.org>",
	    'AUTH PLAIN AGFubgBzZWNyZXQ=', 'RCPT TO:<you@y.example>', 'DATA';
	$c->send(sprintf($text, "$ann\@mail.example.org", 'during-auth') . ".\r\n");
	return join('', @r, $c->reply->{text});
});
like($talk, qr/^503 5\.5\.1/m, 'R4954-4-b AUTH during a transaction: 503');
like($talk, qr/^250 2\.0\.0 .*queued as/m, 'R4954-4-b and the transaction is whole');
my ($m) = $d->mails_wait(1, qr/^Subject: during-auth/m);
like($m, qr/^Received: from mail\.example\.org by mail\.example\.org\r?\n\s+with ESMTPA id/m,
    'R3848-1-a with ESMTPA');
ok($d->log_wait(qr/auth\[0\]: s=\S+ event=local-open user="$ann" uid=\d+ pid=\d+/),
    'the log says who it was');

as($ann, sub {
	my $s = IO::Socket::UNIX->new(Peer => $sock) or return;
	$s->blocking(0);
	my $c = bless { sock => $s, in => '', timeout => 20 }, 'Msad::Smtp';
	$c->greeting;
	$c->cmd('HELO x');
	$c->submit("$ann\@mail.example.org", 'you@y.example',
	    sprintf($text, "$ann\@mail.example.org", 'by-helo'));
	return;
});
($m) = $d->mails_wait(1, qr/^Subject: by-helo/m);
like($m, qr/\s+with SMTP id/, 'R3848-1-a SMTP after HELO');

# The header is checked as for a login.
my $forged = as($ann, sub {
	my $c = local_client() or return;
	return $c->submit("$ann\@mail.example.org", 'you@y.example',
	    sprintf($text, "$bob\@mail.example.org", 'forged'))->{text};
});
like($forged, qr/^5/, 'P3 From of another is refused');

# --- what a client cannot do ---

for my $host ('127.0.0.1', '::1') {
	my $c = $d->client(tls => 'starttls', host => $host);
	my $r = $c->cmd('MAIL FROM:<root@mail.example.org>');
	is($r->{code}, 530, "R6409-4.3-b $host by TCP is no authentication");
	$r = $c->cmd('XCLIENT LOGIN=root');
	like($r->{code}, qr/^(?:50[02]|530)$/, 'nor is a claim');
	$c->close;
}
my $c = $d->session(0);
is($c->cmd("MAIL FROM:<$ann\@mail.example.org>")->{code}, 550,
    'R6409-4.3-b rules of local users are not for logins');
$c->quit;

# A program that goes away at once, and many of them.
for (1 .. 50) {
	my $s = IO::Socket::UNIX->new(Peer => $sock);
	close $s if $s;
}
like(says($ann, 'NOOP'), qr/^250/, 'P6 programs that go at once leave no harm');
my @open = map { IO::Socket::UNIX->new(Peer => $sock) } 1 .. 200;
like(says($ann, 'NOOP'), qr/^250/, 'P6 nor do 200 that say nothing');
close $_ for grep { $_ } @open;

# A user id without a name.
my $pid = open(my $p, '-|') // die;
if ($pid == 0) {
	POSIX::setgid(54321);
	POSIX::setuid(54321);
	my $s = IO::Socket::UNIX->new(Peer => $sock);
	print $s ? scalar(<$s>) // '' : "no connection\n";
	POSIX::_exit(0);
}
like(scalar(<$p>), qr/^554 5\.7\.1 User id 54321 has no name/,
    'a user id without a name is told so');
close $p;

# auth starts again: sessions go on, and new ones are taken.
my $old = local_client();
kill('KILL', $d->child_named('msad-auth')->{pid});
ok($d->log_wait(qr/event=child-started name=auth\[0\]/, 30), 'auth is started again');
is($old->submit('r@mail.example.org', 'you@y.example',
    sprintf($text, 'r@mail.example.org', 'over-restart'))->{code}, 250,
    'P7 a local session outlives auth');
like(says($ann, "MAIL FROM:<$ann\@mail.example.org>"), qr/^250/, 'P7 and new ones begin');

# --- reload ---

my $conf = slurp("$d->{dir}/msad.conf");
sub reload_with {
	my ($text, $event) = @_;
	my $seen = () = $d->log =~ /event=$event/g;
	$d->write_conf($text);
	$d->reload;
	return wait_for { my $n = () = $d->log =~ /event=$event/g; $n > $seen };
}
my $inode = (stat $sock)[1];
ok(reload_with($conf, 'reloaded'), 'a reload');
is((stat $sock)[1], $inode, 'keeps the socket');
like(says($ann, 'NOOP'), qr/^250/, 'and auth listens on it');
(my $other = $conf) =~ s/\Q$sock\E/$sock.new/;
ok(reload_with($other . "table t file:\"/nonexistent\"\n", 'reload-refused'),
    'a reload that is refused');
ok(-S $sock && !-e "$sock.new", 'changes no socket');
like(says($ann, 'NOOP'), qr/^250/, 'and auth still listens');
ok(reload_with($other, 'reloaded'), 'a reload with another path');
ok(!-e $sock && -S "$sock.new", 'moves the socket');
(my $none = $conf) =~ s/^listen on socket.*$//m;
ok(reload_with($none, 'reloaded'), 'a reload without the socket');
ok(!-e "$sock.new", 'removes it');
ok(reload_with($conf, 'reloaded'), 'and back');
like(says($ann, 'NOOP'), qr/^250/, 'it is there again');

# --- sendmail ---

# Run sendmail as that user with input; { status, out, err }.
sub sendmail {
	my ($user, $in, @args) = @_;
	my $base = "$d->{dir}/sm";
	spew("$base.in", $in, 0644);
	my $kid = fork() // die;
	if ($kid == 0) {
		open(STDIN, '<', "$base.in");
		open(STDOUT, '>', "$base.out");
		open(STDERR, '>', "$base.err");
		my (undef, undef, $uid, $gid) = getpwnam($user);
		$( = $) = "$gid $gid";
		POSIX::setgid($gid);
		POSIX::setuid($uid);
		{ exec($program, '-S', $sock, @args); }
		POSIX::_exit(127);
	}
	waitpid($kid, 0);
	return { status => $? >> 8, out => slurp("$base.out"), err => slurp("$base.err") };
}

my $r = sendmail($ann, "Subject: plain\n\nline one\n..\n.\nnever\n", 'you@y.example');
is($r->{status}, 0, "sendmail: taken $r->{err}");
($m) = $d->mails_wait(1, qr/^Subject: plain/m);
like($m, qr/^From: <?$ann\@mail\.example\.org>?\r?$/m, 'a missing From is added');
like($m, qr/^Return-Path: <$ann\@mail\.example\.org>/m, 'the sender is the user');
like($m, qr/line one\r?\n\.\.\r?\n\z/, 'a lone dot ends, others are text');

$r = sendmail($ann, "Subject: dots\n\na\n.\n.b\n", '-i', '-F', 'Ann Example', 'you@y.example');
($m) = $d->mails_wait(1, qr/^Subject: dots/m);
like($m, qr/a\r?\n\.\r?\n\.b\r?\n\z/, '-i: a lone dot is text');
like($m, qr/^From: "?Ann Example"? <$ann\@mail/m, '-F: the full name');

$r = sendmail($bob, "From: shop\@shop.example\nTo: a\@y.example,\n \"B, C\" <b\@y.example>\n" .
    "Cc: team: c\@y.example;\nBcc: secret\@y.example\nSubject: header\n\ntext\n",
    '-t', '-oi', '-f', 'shop@shop.example');
is($r->{status}, 0, "-t: taken $r->{err}");
my @all = $d->mails_wait(1, qr/^Subject: header/m);
$d->log_wait(qr/event=delivered [^\n]*to="$_\@y\.example"/) for qw(a b c secret);
my $to = join(' ', $d->log =~ /event=delivered [^\n]*to="([^"]*\@y\.example)"/g);
like($to, qr/\b$_\@y\.example/, "-t: $_ is a recipient") for qw(a b c secret);
unlike(join('', @all), qr/secret|^Bcc:/mi, '-t: Bcc is gone');

$r = sendmail('root', "From: root (Cron Daemon)\nTo: root\nSubject: Cron\n" .
    "Content-Type: text/plain\n\noutput\n", qw(-FCronDaemon -i -B8BITMIME -oem root));
is($r->{status}, 0, "as cron does: taken $r->{err}");
($m) = $d->mails_wait(1, qr/^Subject: Cron/m);
like($m, qr/^From: root\@mail\.example\.org \(Cron Daemon\)/m, 'From gets its domain');
like($m, qr/^To: root\@mail\.example\.org/m, 'so does To');

$r = sendmail($ann, "no header at all\nsecond line\n", 'you@y.example');
is($r->{status}, 0, 'text without a header is taken');
($m) = $d->mails_wait(1, qr/no header at all/);
like($m, qr/\r?\n\r?\nno header at all\r?\nsecond line/, 'as the body');

$r = sendmail($ann, "Subject: other\n\n", '-f', "$bob\@mail.example.org", 'you@y.example');
is($r->{status}, 77, 'the sender of another: EX_NOPERM');
like($r->{err}, qr/550 5\.7\.1/, 'with the reply');
is(sendmail($ann, "Subject: x\n\n", '-t')->{status}, 65, '-t without recipients: EX_DATAERR');
is(sendmail($ann, "Subject: x\n\n")->{status}, 64, 'no recipient: EX_USAGE');
is(sendmail($ann, '', '-bd')->{status}, 64, 'an option that is not ours: EX_USAGE');
is(sendmail($ann, "Subject: x\n\n", 'a b@y.example c')->{status}, 67, 'a bad address: EX_NOUSER');
is(sendmail($ann, "Subject: x\n\na\0b\n", 'a@y.example')->{status}, 65, 'NUL in the text: EX_DATAERR');
is(sendmail($ann, "Subject: x\n\na\rb\n", 'a@y.example')->{status}, 65, 'a bare CR: EX_DATAERR');

$r = sendmail($ann, "EHLO x\r\nMAIL FROM:<$ann\@mail.example.org>\r\nRCPT TO:<you\@y.example>\r\n" .
    "DATA\r\nFrom: $ann\@mail.example.org\r\nSubject: by-bs\r\n\r\ntext\r\n.\r\nQUIT\r\n", '-bs');
is($r->{status}, 0, '-bs');
like($r->{out}, qr/^220 .*^221 /ms, '-bs: SMTP on standard output');
ok($d->mails_wait(1, qr/^Subject: by-bs/m), '-bs: sent');

is($d->stop, 0, 'stopped');
ok(!-e $sock, 'the socket is gone');
$r = sendmail($ann, "Subject: x\n\n", 'you@y.example');
is($r->{status}, 75, 'msad does not run: EX_TEMPFAIL');
like($r->{err}, qr/msad does not run/, 'and it is said');
$d->done;
done_testing();
