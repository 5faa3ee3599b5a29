#version 330 core
// A picture of the wall's own size, upper row first.
uniform sampler2D picture;
out vec4 value;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    value = vec4(texelFetch(picture, ivec2(at.x, textureSize(picture, 0).y - 1 - at.y), 0).rgb, 1.0);
}
