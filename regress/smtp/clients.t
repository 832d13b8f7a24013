# Mail programs as they are: swaks, msmtp, curl, Python's smtplib, nodemailer,
# each over STARTTLS and over implicit TLS.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new;
my $u = $d->account(0);
my $dir = $d->{dir};
my %mail = (from => $u->{address}, to => 'someone@example.net');

sub message {
	my ($mark) = @_;
	return "From: <$mail{from}>\nTo: <$mail{to}>\nSubject: $mark\n\n" .
	    "first line\n.dot\n..two\nlast line\n";
}

sub have { my ($p) = @_; return grep { -x "$_/$p" } split(/:/, $ENV{PATH}) }

sub try {
	my ($mark, @cmd) = @_;
	open(my $p, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @cmd) or die;
	my $out = do { local $/; <$p> };
	close($p);
	is($? >> 8, 0, "$mark exits 0") or diag($out);
	my ($m) = $d->mails_wait(1, qr/^Subject: \Q$mark\E\r?$/m);
	like($m // '', qr/first line\r?\n\.dot\r?\n\.\.two\r?\nlast line/, "$mark arrives");
}

for my $mode (['STARTTLS', $d->{port_starttls}], ['TLS', $d->{port_tls}]) {
	my ($name, $port) = @$mode;
	my $tls = $name eq 'TLS';
	SKIP: {
		skip('no swaks', 2) unless have('swaks');
		spew("$dir/m", message("swaks $name"));
		try("swaks $name", 'swaks', '--server', "localhost:$port",
		    $tls ? '--tls-on-connect' : '--tls', '--tls-verify',
		    '--tls-ca-path', "$dir/ca.pem", '--auth', 'PLAIN',
		    '--auth-user', $u->{name}, '--auth-password', $u->{password},
		    '--from', $mail{from}, '--to', $mail{to}, '--data', "\@$dir/m");
	}
	SKIP: {
		skip('no msmtp', 2) unless have('msmtp');
		spew("$dir/msmtprc", "account default\nhost localhost\nport $port\n" .
		    "tls on\ntls_starttls " . ($tls ? 'off' : 'on') . "\n" .
		    "tls_trust_file $dir/ca.pem\nauth plain\nuser $u->{name}\n" .
		    "password $u->{password}\nfrom $mail{from}\n", 0600);
		spew("$dir/m", message("msmtp $name"));
		try("msmtp $name", 'sh', '-c',
		    "msmtp -C $dir/msmtprc $mail{to} <$dir/m");
	}
	SKIP: {
		skip('no curl', 2) unless have('curl');
		spew("$dir/m", message("curl $name") =~ s/\n/\r\n/gr);
		try("curl $name", 'curl', '-sS', '--url',
		    ($tls ? 'smtps' : 'smtp') . "://localhost:$port", '--ssl-reqd',
		    '--cacert', "$dir/ca.pem", '--user', "$u->{name}:$u->{password}",
		    '--mail-from', $mail{from}, '--mail-rcpt', $mail{to},
		    '--upload-file', "$dir/m");
	}
	SKIP: {
		skip('no python3', 2) unless have('python3');
		spew("$dir/m", message("smtplib $name"));
		my $py = <<'PY';
import smtplib, ssl, sys
mode, port, ca, user, pw, sender, to, path = sys.argv[1:]
ctx = ssl.create_default_context(cafile=ca)
if mode == "TLS":
    s = smtplib.SMTP_SSL("localhost", int(port), context=ctx)
else:
    s = smtplib.SMTP("localhost", int(port))
    s.starttls(context=ctx)
s.login(user, pw)
s.sendmail(sender, [to], open(path).read())
s.quit()
PY
		try("smtplib $name", 'python3', '-c', $py, $name, $port, "$dir/ca.pem",
		    $u->{name}, $u->{password}, $mail{from}, $mail{to}, "$dir/m");
	}
	SKIP: {
		skip('no nodemailer', 2) unless have('node') && -d '/usr/share/nodejs/nodemailer';
		my $js = <<'JS';
const [tls, port, ca, user, pass, from, to, subject] = process.argv.slice(1);
const n = require('/usr/share/nodejs/nodemailer');
const t = n.createTransport({ host: 'localhost', port: +port, secure: tls === 'TLS',
    requireTLS: true, auth: { user, pass }, tls: { ca: require('fs').readFileSync(ca) } });
t.sendMail({ from, to, subject, text: 'first line\n.dot\n..two\nlast line\n' },
    (e) => { if (e) { console.log(e); process.exit(1); } t.close(); });
JS
		try("nodemailer $name", 'node', '-e', $js, $name, $port, "$dir/ca.pem",
		    $u->{name}, $u->{password}, $mail{from}, $mail{to}, "nodemailer $name");
	}
}
$d->done;
done_testing;
