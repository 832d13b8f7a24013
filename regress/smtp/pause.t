# Pauses: accept, relay, domain, tenant; durable before msactl says so, for a
# time or until resumed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new;
my $u = $d->account(0);
sub text { return "From: <$u->{address}>\r\nSubject: $_[0]\r\n\r\nx\r\n" }
sub pauses { return @{ $d->msactl('-j', 'show', 'pauses')->{json} } }
sub is_there { my ($what, $name) = @_;
	return grep { $_->{what} eq $what && $_->{name} eq ($name // '') } pauses() }

is(scalar(pauses()), 0, 'nothing is paused');
is($d->msactl('resume', 'accept')->{status}, 5, 'exit 5: it is not paused');
isnt($d->msactl('pause', 'relay', 'nosuch')->{status}, 0, 'an unknown relay');
like(($d->msactl('pause', 'relay', 'nosuch'))->{err}, qr/no relay/, 'it says so');

# --- acceptance
my $c = $d->session(0);
my $begun = $d->session(0);
is($begun->cmd("MAIL FROM:<$u->{address}>")->{code}, 250, 'one has begun');
is($d->msactl('pause', 'accept')->{status}, 0, 'pause accept');
ok($d->log_wait(qr/event=paused what=accept name="" uid=0/), 'logged, with who');
my $r = $c->cmd("MAIL FROM:<$u->{address}>");
is("$r->{code} $r->{enh}", '451 4.3.0', 'P4 new mail is put off at once');
is($begun->cmd('RCPT TO:<a@x.example>')->{code}, 250, 'what has begun goes on');
is($begun->cmd('DATA')->{code}, 354, 'to its data');
$begun->send(text('begun') . ".\r\n");
is($begun->reply->{code}, 250, 'and its end');
ok(wait_for { my ($s) = @{ $d->msactl('-j', 'show', 'status')->{json} };
	!$s->{accepting} && $s->{paused} }, 'P8 show status: not accepting, as it is paused');
like($d->msactl('show', 'status')->{out}, qr/not accepting.*paused/, 'in words too');
ok(is_there('accept'), 'show pauses');
$_->close for $c, $begun;

# --- kill -9 forgets nothing
$d->kill_all;
$d->start;
$c = $d->session(0);
is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 451, 'after kill -9 it is paused');
ok(is_there('accept'), 'show pauses');
is($d->msactl('resume', 'accept')->{status}, 0, 'resume accept');
ok($d->log_wait(qr/event=resumed what=accept name="" uid=0/), 'logged');
is($c->submit($u->{address}, 'a@x.example', text('again'))->{code}, 250, 'accepted');
ok(wait_for { my ($s) = @{ $d->msactl('-j', 'show', 'status')->{json} };
	$s->{accepting} && !$s->{paused} }, 'show status: accepting');
ok($d->mails_wait(1, qr/Subject: again/), 'and delivered');
$c->close;
$d->kill_all;
$d->start;
is(scalar(pauses()), 0, 'after kill -9 what was resumed is not paused');

# --- for a time
$c = $d->session(0);
is($d->msactl('pause', 'accept', 'for', '1s')->{status}, 0, 'pause accept for 1s');
ok($d->log_wait(qr/event=resumed what=accept name="" reason=/), 'it ends by itself');
is($c->submit($u->{address}, 'a@x.example', text('later'))->{code}, 250, 'accepted');

# --- delivery
sub waits {
	my ($what, @name) = @_;
	is($d->msactl('pause', $what, @name)->{status}, 0, "pause $what @name");
	ok(is_there($what, @name), 'show pauses');
	my $r = $c->submit($u->{address}, 'a@Stopped.example', text("$what @name"));
	is($r->{code}, 250, 'mail is accepted');
	my $id = $r->{id} // '0';
	# others go meanwhile, where not all is paused
	if ($what eq 'domain') {
		$c->submit($u->{address}, 'b@free.example', text("past $what"));
		ok($d->mails_wait(1, qr/Subject: past $what/), 'others go');
	}
	is(scalar(grep { /Subject: $what @name\r?\n/ } $d->mails), 0, 'it waits');
	is((grep { $_->{id} eq $id } $d->queue) + 0, 1, 'in the queue');
	$c->close;
	$d->kill_all;
	$d->start;
	$c = $d->session(0);
	$c->submit($u->{address}, 'b@free.example', text("second $what"));
	is(scalar(grep { /Subject: $what @name\r?\n/ } $d->mails), 0, 'after kill -9 too');
	is($d->msactl('resume', $what, @name)->{status}, 0, "resume $what @name");
	ok($d->mails_wait(1, qr/Subject: $what @name\r?\n/), 'it is delivered');
	return;
}
waits('relay', 'box');
waits('domain', 'stopped.example');
is($d->msactl('pause', 'relay')->{status}, 0, 'pause relay: all');
$r = $c->submit($u->{address}, 'a@x.example', text('all relays'));
is($r->{code}, 250, 'mail is accepted');
isnt($d->msactl('resume', 'relay', 'box')->{status}, 0, 'one of all cannot go alone');
is(scalar(grep { /Subject: all relays/ } $d->mails), 0, 'it waits');
is($d->msactl('resume', 'relay')->{status}, 0, 'resume relay');
ok($d->mails_wait(1, qr/Subject: all relays/), 'it is delivered');
is($d->msactl('pause', 'tenant', 'acme')->{status}, 0, 'pause tenant');
ok(is_there('tenant', 'acme'), 'show pauses');
is($c->submit($u->{address}, 'a@x.example', text('no tenant'))->{code}, 250, 'another');
ok($d->mails_wait(1, qr/Subject: no tenant/), 'is delivered');
is($d->msactl('resume', 'tenant', 'acme')->{status}, 0, 'resume tenant');
is(scalar(pauses()), 0, 'nothing is paused');

$d->done;
done_testing;
