# A certificate authority with a revocation list, by openssl ca, for tests of
# client certificates.
package Msad::Pki;
use strict;
use warnings;

use POSIX qw(strftime);

sub run {
	my ($self, @cmd) = @_;
	my $out = `cd '$self->{dir}' && @cmd 2>&1`;
	die "@cmd: $out" if $?;
}

# The folder is made; name => common name of the authority.
sub new {
	my ($class, $dir, $name) = @_;
	my $self = bless { dir => $dir }, $class;
	mkdir($dir, 0755) or die "$dir: $!";
	for my $f (['index', ''], ['index.attr', "unique_subject = no\n"], ['serial', "1000\n"], ['crlnumber', "01\n"],
	    ['conf', <<"CONF"]) {
[ca]
default_ca = this
[this]
dir = $dir
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_crl_days = 1
policy = any
copy_extensions = copy
unique_subject = no
[any]
organizationName = optional
commonName = optional
CONF
		open(my $h, '>', "$dir/$f->[0]") or die;
		print $h $f->[1];
		close($h);
	}
	$self->run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem " .
	    "-days 2 -subj '/CN=$name' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign");
	return $self;
}

sub stamp { return strftime('%Y%m%d%H%M%SZ', gmtime(time() + $_[0])) }

# A client's certificate; its files as arguments of IO::Socket::SSL.
# san => "email:...", eku => "clientAuth", from, to => seconds from now,
# key => options of openssl req.
sub cert {
	my ($self, $name, %o) = @_;
	my $subject = $o{subject} // "/CN=$name";
	my $eku = $o{eku} // 'clientAuth';
	my $key = $o{key} // '-newkey ec -pkeyopt ec_paramgen_curve:P-256';
	my $san = $o{san} ? "-addext subjectAltName=$o{san}" : '';
	my $f = $o{file} // $name;
	$self->run("openssl req $key -nodes -keyout '$f.key' -out '$f.csr' -subj '$subject' -addext extendedKeyUsage=$eku $san");
	$self->run("openssl ca -batch -notext -config conf -in '$f.csr' -out '$f.pem' -startdate " .
	    stamp($o{from} // -3600) . ' -enddate ' . stamp($o{to} // 86400));
	return (SSL_use_cert => 1, SSL_cert_file => "$self->{dir}/$f.pem", SSL_key_file => "$self->{dir}/$f.key");
}

sub revoke { my ($self, $f) = @_; $self->run("openssl ca -config conf -revoke '$f.pem'") }

# Write the list; seconds: how long it holds (may be over).
sub crl {
	my ($self, $seconds) = @_;
	my $when = $seconds ? '-crl_lastupdate ' . stamp($seconds - 60) . ' -crl_nextupdate ' . stamp($seconds) : '';
	$self->run("openssl ca -gencrl -config conf $when -out crl.new && mv crl.new crl.pem");
}

1;
