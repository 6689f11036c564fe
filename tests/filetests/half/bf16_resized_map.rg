; test check

// A map of half precision is resized beside another, and both are convolved.
graph bf16_resized_map {
  %x = input : bf16[1, 6, 4, 5]
  %z = input : bf16[1, 3, 8, 10]
  %u = resize %x { size = [8, 10], mode = bilinear }
  %c = concat %u, %z { axis = -3 }
  %w = weight : bf16[7, 9, 1, 1]
  %b = weight : f32[7, 1, 1]
  %m = conv2d %c, %w { stride = 1, padding = 0, dilation = 1, groups = 1 }
  %y = add %m, %b
  return %y
}

; expect check
;   %y within 1e-5 of the reference
