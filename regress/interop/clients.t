# Mail programs as people use them, each over 587 with STARTTLS and over 465
# with TLS from the start, logged in by PAM, with the certificate verified:
# the message arrives octet for octet; a wrong password and a certificate that
# the client has no reason to trust are failures that the client reports.
#
# Debian packages: swaks msmtp curl python3 nodejs node-nodemailer git
# git-email libauthen-sasl-perl libmailtools-perl libio-socket-ssl-perl mutt
# A program that is not installed is skipped by name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp";
use Msad;
use POSIX ();
use Test::More;

# Octet for octet: bodies are not converted here (regress/smtp/mime.t does).
my $d = Msad->new(tables => "convert off\n");
my $u = $d->account(0);
my $dir = $d->{dir};
my $to = 'someone@example.net';
my $nobody = "$dir/other.pem";		# a CA that signed nothing here
my %modes = (STARTTLS => $d->{port_starttls}, TLS => $d->{port_tls});

Msad::run("cd $dir && openssl req -x509 -newkey ec -pkeyopt " .
    "ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem " .
    "-days 2 -subj '/CN=another CA' >>openssl.log 2>&1");
mkdir "$dir/home";
spew("$dir/home/.gitconfig", "[user]\n\tname = Somebody\n\temail = $u->{address}\n");
# No configuration of whoever runs this takes part.
local $ENV{HOME} = "$dir/home";
local $ENV{GIT_CONFIG_NOSYSTEM} = 1;
delete @ENV{grep { /^(GIT_DIR|GIT_WORK|EMAIL|http_proxy|https_proxy|all_proxy)/i } keys %ENV};

my $body = "first line\n.a dot\n..two\n.\n..\n\n\tblanks behind \t \nd\xc3\xa9j\xc3\xa0 vu\n" .
    ('x' x 998) . "\n.\n\nlast line\n\n\n";

# The header is odd but right: folds, an unknown field, blanks.
sub message {
	my ($mark) = @_;
	return "From: =?UTF-8?Q?D=C3=A9j=C3=A0?= Vu <$u->{address}>\nTo: <$to>,\n" .
	    "   second\@example.net\nSubject:  $mark\n" .
	    "Date: Thu, 1 Jan 2026 10:00:00 +0100\n" .
	    "Message-ID: <" . ($mark =~ s/\W+/./gr) . "\@client.example>\n" .
	    "X-Odd:one\n\ttwo  \n three\nMIME-Version: 1.0\n" .
	    "Content-Type: text/plain; charset=utf-8\n" .
	    "Content-Transfer-Encoding: 8bit\n\n$body";
}

# A client: needs (a command or a file each), and build, which writes what it
# needs below $o{path} and returns its command line. With raw it is given the
# whole message, else it makes its own of a text.
# %o: mode, port, ca, password, mark, path (prefix of files).
my %client;

$client{swaks} = { needs => ['swaks'], raw => 1, build => sub {
	my %o = @_;
	# swaks adds the last line end itself
	spew("$o{path}.eml", message($o{mark}) =~ s/\n\z//r);
	return ('swaks', '--server', "localhost:$o{port}",
	    $o{mode} eq 'TLS' ? '--tls-on-connect' : '--tls', '--tls-verify',
	    '--tls-ca-path', $o{ca}, '--auth', 'LOGIN', '--auth-user', $u->{name},
	    '--auth-password', $o{password}, '--from', $u->{address},
	    '--to', $to, '--data', "\@$o{path}.eml");
} };

$client{msmtp} = { needs => ['msmtp'], raw => 1, build => sub {
	my %o = @_;
	my $starttls = $o{mode} eq 'TLS' ? 'off' : 'on';
	spew("$o{path}.eml", message($o{mark}));
	spew("$o{path}.rc", <<"RC", 0600);
account default
host localhost
port $o{port}
tls on
tls_starttls $starttls
tls_trust_file $o{ca}
auth plain
user $u->{name}
password $o{password}
from $u->{address}
RC
	return ('sh', '-c', "exec msmtp -C $o{path}.rc $to <$o{path}.eml");
} };

$client{curl} = { needs => ['curl'], raw => 1, build => sub {
	my %o = @_;
	spew("$o{path}.eml", message($o{mark}) =~ s/\n/\r\n/gr);
	return ('curl', '-sS', '--max-time', 60, '--url',
	    ($o{mode} eq 'TLS' ? 'smtps' : 'smtp') . "://localhost:$o{port}",
	    '--ssl-reqd', '--cacert', $o{ca}, '--user', "$u->{name}:$o{password}",
	    '--mail-from', $u->{address}, '--mail-rcpt', $to,
	    '--upload-file', "$o{path}.eml");
} };

$client{smtplib} = { needs => ['python3'], raw => 1, build => sub {
	my %o = @_;
	# octets given to smtplib are sent as they are: they need CRLF
	spew("$o{path}.eml", message($o{mark}) =~ s/\n/\r\n/gr);
	spew("$o{path}.py", <<'PY');
import smtplib, ssl, sys
mode, port, ca, user, password, sender, to, path = sys.argv[1:]
ctx = ssl.create_default_context(cafile=ca)
if mode == "TLS":
    s = smtplib.SMTP_SSL("localhost", int(port), context=ctx)
else:
    s = smtplib.SMTP("localhost", int(port))
    s.starttls(context=ctx)
s.login(user, password)
s.sendmail(sender, [to], open(path, "rb").read(), ["BODY=8BITMIME"])
s.quit()
PY
	return ('python3', "$o{path}.py", $o{mode}, $o{port}, $o{ca},
	    $u->{name}, $o{password}, $u->{address}, $to, "$o{path}.eml");
} };

# Where Debian puts it, and wherever NODE_PATH says.
my ($nodemailer) = grep { -d } map { "$_/nodemailer" }
    '/usr/share/nodejs', '/usr/lib/nodejs', '/usr/local/lib/node_modules',
    split(/:/, $ENV{NODE_PATH} // '');
$client{nodemailer} = { needs => ['node', $nodemailer // 'nodemailer'],
    raw => 1, build => sub {
	my %o = @_;
	spew("$o{path}.eml", message($o{mark}));
	spew("$o{path}.js", <<'JS');
const [tls, port, ca, user, pass, from, to, path, module_] = process.argv.slice(2);
const fs = require('fs');
const t = require(module_).createTransport({ host: 'localhost', port: +port,
    secure: tls === 'TLS', requireTLS: true, auth: { user, pass },
    tls: { ca: fs.readFileSync(ca) } });
t.sendMail({ envelope: { from, to }, raw: fs.readFileSync(path) }, (e) => {
	if (e) { console.log(e); process.exit(1); }
	t.close();
});
JS
	return ('node', "$o{path}.js", $o{mode}, $o{port}, $o{ca}, $u->{name},
	    $o{password}, $u->{address}, $to, "$o{path}.eml", $nodemailer);
} };

# A message that nodemailer composes itself: an attachment, base64.
$client{'nodemailer with an attachment'} = { needs => $client{nodemailer}{needs},
    like => qr/first line.*\nContent-Disposition: attachment/s, build => sub {
	my %o = @_;
	spew("$o{path}.js", <<'JS');
const [tls, port, ca, user, pass, from, to, subject, module_] = process.argv.slice(2);
const t = require(module_).createTransport({ host: 'localhost', port: +port,
    secure: tls === 'TLS', requireTLS: true, auth: { user, pass },
    tls: { ca: require('fs').readFileSync(ca) } });
t.sendMail({ from: { name: 'D\u00e9j\u00e0', address: from }, to, subject,
    text: 'first line\n.dot\n..two\nlast line\n',
    attachments: [{ filename: 'a.bin', content: Buffer.alloc(100000, 7) }] },
    (e) => { if (e) { console.log(e); process.exit(1); } t.close(); });
JS
	return ('node', "$o{path}.js", $o{mode}, $o{port}, $o{ca}, $u->{name},
	    $o{password}, $u->{address}, $to, $o{mark}, $nodemailer);
} };

$client{'git send-email'} = { needs => ['git', git_path('git-send-email'),
    perl_has('Authen::SASL'), perl_has('Mail::Address')],
    like => qr/first line\n\.dot\n\.\.two\n/, build => sub {
	my %o = @_;
	spew("$o{path}.patch", <<"PATCH");
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: Somebody <$u->{address}>
Date: Thu, 1 Jan 2026 10:00:00 +0100
Subject: [PATCH] $o{mark}

first line
.dot
..two
---
 a | 1 +
 1 file changed, 1 insertion(+)
PATCH
	return ('git', 'send-email', '--quiet', '--confirm=never',
	    '--suppress-cc=all', "--from=$u->{address}", "--to=$to",
	    '--smtp-server=localhost', "--smtp-server-port=$o{port}",
	    '--smtp-encryption=' . ($o{mode} eq 'TLS' ? 'ssl' : 'tls'),
	    "--smtp-ssl-cert-path=$o{ca}", "--smtp-user=$u->{name}",
	    "--smtp-pass=$o{password}", '--smtp-domain=client.example',
	    "$o{path}.patch");
} };

$client{mutt} = { needs => ['mutt'],
    like => qr/first line\n\.dot\n\.\.two\nd\xc3\xa9j\xc3\xa0\n/, build => sub {
	my %o = @_;
	my $scheme = $o{mode} eq 'TLS' ? 'smtps' : 'smtp';
	spew("$o{path}.txt", "first line\n.dot\n..two\nd\xc3\xa9j\xc3\xa0\n");
	spew("$o{path}.rc", <<"RC", 0600);
set smtp_url="$scheme://$u->{name}\@localhost:$o{port}/"
set smtp_pass="$o{password}"
set smtp_authenticators="plain:login"
set ssl_force_tls=yes ssl_starttls=yes
set ssl_ca_certificates_file="$o{ca}" certificate_file="$o{path}.certs"
set from="$u->{address}" use_from=yes use_envelope_from=yes envelope_from_address="$u->{address}"
set copy=no charset="utf-8" send_charset="utf-8" allow_8bit=yes
set folder="$dir/home" tmpdir="$dir/home" record="" postponed="" spoolfile="/dev/null"
RC
	return ('sh', '-c', "exec mutt -n -F $o{path}.rc -s '$o{mark}' -- $to <$o{path}.txt");
} };

sub git_path {
	my ($file) = @_;
	my $path = `git --exec-path 2>/dev/null` // '';
	chomp $path;
	return "$path/$file";
}

sub perl_has {
	my ($module) = @_;
	return eval "require $module; 1" ? '/' : "perl module $module";
}

sub missing {
	my ($c) = @_;
	return grep { !(m{^/} ? -e : grep { -x } in_path($_)) } @{ $c->{needs} };
}

sub in_path {
	my ($name) = @_;
	return map { "$_/$name" } split(/:/, $ENV{PATH});
}

# Start a client; { pid, out, mark, .. } for result().
my $serial = 0;
sub launch {
	my ($name, $mode, %o) = @_;
	my $path = "$dir/c" . ++$serial;
	my %run = (mode => $mode, port => $modes{$mode}, ca => "$dir/ca.pem",
	    password => $u->{password}, path => $path, mark => "$name $mode", %o);
	my @cmd = ('timeout', 60, $client{$name}{build}->(%run));
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', "$path.out");
		open(STDERR, '>&', \*STDOUT);
		{ exec(@cmd); }
		POSIX::_exit(127);
	}
	return { %run, pid => $pid, name => $name };
}

# Wait for a client: its exit status and what it said.
sub result {
	my ($run) = @_;
	waitpid($run->{pid}, 0);
	return ($?, slurp("$run->{path}.out"));
}

sub arrives {
	my ($run) = @_;
	my ($status, $out) = result($run);
	is($status, 0, "$run->{mark}: exit 0") or diag($out);
	my ($m) = $d->mails_wait(1, qr/^Subject: .*\Q$run->{mark}\E\r?$/m);
	$m //= '';
	if ($client{ $run->{name} }{raw}) {
		my $want = message($run->{mark});
		ok(length($m) > length($want) &&
		    substr($m, -length($want)) eq $want,
		    "$run->{mark}: header and body arrive octet for octet")
		    or diag("arrived:\n$m");
		my $head = substr($m, 0, length($m) - length($want));
		like($head, qr/\A(?:Return-Path: .*\n|Received: .*\n(?:[ \t].*\n)*)*\z/,
		    "$run->{mark}: only trace fields stand above");
	} else {
		like($m, $client{ $run->{name} }{like}, "$run->{mark}: arrives");
	}
	my $tls = $m =~ /with ESMTPSA/;
	ok($tls, "$run->{mark}: R3848-1-a by ESMTPSA");
}

my @all = grep {
	my @no = missing($client{$_});
	if (@no) {
		my $why = "not installed: @no";
		SKIP: { skip("$_: $why", 1) }
	}
	!@no;
} sort keys %client;

subtest "a message by $_" => sub {
	my ($name) = $_;
	my @runs = map { launch($name, $_) } sort keys %modes;
	arrives($_) for @runs;
} for @all;

my $before = () = $d->mails;
subtest 'a wrong password' => sub {
	my @runs = map { my $n = $_; map { launch($n, $_, mark => "wrong $n $_",
	    password => 'not-the-password') } sort keys %modes } @all;
	for my $r (@runs) {
		my ($status, $out) = result($r);
		isnt($status, 0, "$r->{mark}: the client fails") or diag($out);
		like($out, qr/535|5\.7\.8|authenticat|login denied/i,
		    "$r->{mark}: and says why");
	}
};

subtest 'a certificate of nobody the client trusts' => sub {
	my @runs = map { my $n = $_; map { launch($n, $_, mark => "ca $n $_",
	    ca => $nobody) } sort keys %modes } @all;
	for my $r (@runs) {
		my ($status, $out) = result($r);
		isnt($status, 0, "$r->{mark}: the client fails") or diag($out);
		like($out, qr/certificate|verif|TLS|SSL/i, "$r->{mark}: and says why");
	}
};
is(scalar(() = $d->mails), $before, 'nothing arrives by those');
unlike($d->log, qr/not-the-password|\Q$u->{password}\E/, 'X-leak-1 no password in the log');

$d->done;
done_testing;
