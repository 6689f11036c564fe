; test check

// A map of half precision is resized beside another, and both are convolved.
graph f16_resized_map {
  %x = input : f16[1, 6, 4, 5]
  %z = input : f16[1, 3, 8, 10]
  %u = resize %x { size = [8, 10], mode = bilinear }
  %c = concat %u, %z { axis = -3 }
  %w = weight : f16[7, 9, 1, 1]
  %b = weight : f32[7, 1, 1]
  %m = conv2d %c, %w { stride = 1, padding = 0, dilation = 1, groups = 1 }
  %y = add %m, %b
  return %y
}

; expect check
;   %y within 1e-5 of the reference
