// Package appservice reads the registration files by which a homeserver knows its application services, such as bridges, and tells whose
// token a token is and which users are whose. Application Service API v1.19, "Registration".
package appservice
