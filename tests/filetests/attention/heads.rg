; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test buffers target=x86-64-v4
; test check

// Three heads of four channels, cut from one product and joined for the next.
graph heads {
  %x = input : f32[1, 9, 12]
  %w = weight : f32[12, 36]
  %b = weight : f32[36]
  %o = weight : f32[12, 12]
  %p = matmul %x, %w
  %h = add %p, %b
  %r = reshape %h { shape = [1, 9, 3, 3, 4] }
  %t = transpose %r { order = [-3, -5, -2, -4, -1] }
  %q0 = slice %t { axis = -5, start = 0, stop = 1, step = 1 }
  %k0 = slice %t { axis = -5, start = 1, stop = 2, step = 1 }
  %v0 = slice %t { axis = -5, start = 2, stop = 3, step = 1 }
  %q = reshape %q0 { shape = [1, 3, 9, 4] }
  %k = reshape %k0 { shape = [1, 3, 9, 4] }
  %v = reshape %v0 { shape = [1, 3, 9, 4] }
  %a = attention %q, %k, %v { scale = 0.5 }
  %m = transpose %a { order = [-2, -3, -1] }
  %j = reshape %m { shape = [1, 9, 12] }
  %y = matmul %j, %o
  return %y
}

; expect eval
;   16038 flops
;   %y : f32[1, 9, 12] = -2.20691 1.04736 0.64580 -4.68571 0.50102 -0.33162 … norm 15.71453

; expect optimize target=x86-64-v4
;   ; %y: 64 e-nodes, 7 iterations, saturated; unchanged
;   graph heads {
;     %x = input : f32[1, 9, 12]
;     %w = weight : f32[12, 36]
;     %b = weight : f32[36]
;     %o = weight : f32[12, 12]
;     %p = matmul %x, %w : f32[1, 9, 36]
;     %5 = view %p { map = "[3, 1, 3, 9, 4] of 324: 36*i3 + 12*i0 + 4*i2 + i4" } : f32[3, 1, 3, 9, 4]
;     %6 = view %b { map = "[3, 1, 3, 9, 4] of 36: 12*i0 + 4*i2 + i4" } : f32[3, 1, 3, 9, 4]
;     %t = add %5, %6 : f32[3, 1, 3, 9, 4]
;     %q = view %t { map = "[1, 3, 9, 4] of 324: 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %k = view %t { map = "[1, 3, 9, 4] of 324: 108 + 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %10 = scores %q, %k : f32[1, 3, 9, 9]
;     %11 = const { value = 0.5 } : f32[1, 3, 9, 9]
;     %12 = mul %10, %11 : f32[1, 3, 9, 9]
;     %v = view %t { map = "[1, 3, 9, 4] of 324: 216 + 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %a = attend %12, %v { axis = -1 } : f32[1, 3, 9, 4]
;     %j = view %a { map = "[1, 9, 12] of 108: 36*i2/4 + 4*i1 + i2%4" } : f32[1, 9, 12]
;     %y = matmul %j, %o : f32[1, 9, 12]
;     return %y
;   }

; expect canonical
;   graph heads {
;     %x = input : f32[1, 9, 12]
;     %w = weight : f32[12, 36]
;     %b = weight : f32[36]
;     %o = weight : f32[12, 12]
;     %p = matmul %x, %w : f32[1, 9, 36]
;     %5 = view %p { map = "[3, 1, 3, 9, 4] of 324: 36*i3 + 12*i0 + 4*i2 + i4" } : f32[3, 1, 3, 9, 4]
;     %6 = view %b { map = "[3, 1, 3, 9, 4] of 36: 12*i0 + 4*i2 + i4" } : f32[3, 1, 3, 9, 4]
;     %t = add %5, %6 : f32[3, 1, 3, 9, 4]
;     %q = view %t { map = "[1, 3, 9, 4] of 324: 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %k = view %t { map = "[1, 3, 9, 4] of 324: 108 + 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %v = view %t { map = "[1, 3, 9, 4] of 324: 216 + 36*i1 + 4*i2 + i3" } : f32[1, 3, 9, 4]
;     %11 = scores %q, %k : f32[1, 3, 9, 9]
;     %12 = const { value = 0.5 } : f32[1, 3, 9, 9]
;     %13 = mul %11, %12 : f32[1, 3, 9, 9]
;     %a = attend %13, %v { axis = -1 } : f32[1, 3, 9, 4]
;     %j = view %a { map = "[1, 9, 12] of 108: 36*i2/4 + 4*i1 + i2%4" } : f32[1, 9, 12]
;     %y = matmul %j, %o : f32[1, 9, 12]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan heads {
;     %p = matmul [1, 9, 12] by [12, 36], constant %w reading %x
;     %j = attend [3, 9, 9] over 4 values reading %p, %b
;     %y = matmul [1, 9, 12] by [12, 12], constant %o reading %j
;   }

; expect buffers target=x86-64-v4
;   program heads
;   constants 3264 bytes
;   arena 1792 bytes, 103.7 % of all intermediates' 1728
;   scratch 2240 bytes per worker
;
;   id  place     offset  bytes  launches  type  name
;   m0  input 0             432      0..0  f32   x
;   m1  output 0            432      2..2  f32   y
;   m2  constant       0    144      1..1  f32   b
;   m3  constant     192   2304      0..0  f32   w
;   m4  constant    2496    768      2..2  f32   o
;   m5  arena          0   1296      0..1  f32   p
;   m6  arena       1344    432      1..2  f32   j

; expect check
;   %y within 1e-5 of the reference
